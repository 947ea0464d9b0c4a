/* Presses "Continue" by itself, so that nobody has to; without this the button is there all the same. */
"use strict";

const PAUSE_MS = 400;
setTimeout(() => document.getElementById("queueing-continue").submit(), PAUSE_MS);
