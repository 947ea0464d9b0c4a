/* Tells the server the viewer's time zone, so that it writes all times in it. Where it did not know it
   yet, the page is asked for once more, which happens once a year. Without this file, or without cookies,
   times are in the server's zone. */

"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const YEAR_SECONDS = 31_536_000;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const isKnown = () => document.cookie.split("; ").includes(`queueing_zone=${zone}`);
    if (!/^[\w+/-]+$/.test(zone ?? "") || isKnown()) return;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `queueing_zone=${zone}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
    // What answers a form is not asked for again: what was typed, or what is said of what was done, would be gone.
    const answers = document.querySelector(".errornote, .messagelist:not(.queueing-alerts) li");
    if (isKnown() && !answers) location.replace(location.pathname + location.search);
});
