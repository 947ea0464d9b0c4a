/* Keeps the figures of an open page fresh: asks for its parts every few seconds and puts them in place.
   All markup comes from the server, so without this file a page says the same, once. What is looked at
   stays: only what has changed is touched, so focus, selections and what was opened keep. */

"use strict";

(() => {
    const PATIENCE_MS = 5_000; // a request that takes longer is given up
    // Controls that change something. Links that only show something keep working.
    const ACTIONS =
        "[data-live] button, [data-action], .object-tools .addlink, .submit-row input, .submit-row .deletelink";

    const bar = document.querySelector("[data-live-url]");
    if (!bar) return;
    const age = bar.querySelector("[data-live-age]");
    const button = bar.querySelector("[data-live-pause]");
    const pause_ms = Number(bar.dataset.liveSeconds) * 1000;

    let readAt = performance.now(); // when what is shown was read, by this clock
    let state = "unavailable" in bar.dataset ? "lost" : "fresh"; // or paused, left, ended
    let isLost = false; // whether the last answer was none, or one without figures
    let timer = 0;
    let asking = null; // the AbortController of the request under way

    // --- asking ---------------------------------------------------------------------------------

    function schedule() {
        clearTimeout(timer);
        const mayAsk = !document.hidden && !["paused", "left", "ended"].includes(state);
        if (mayAsk) timer = setTimeout(ask, pause_ms);
    }

    async function ask() {
        clearTimeout(timer);
        asking?.abort();
        const mine = asking = new AbortController();
        const patience = setTimeout(() => mine.abort(), PATIENCE_MS);
        try {
            const response = await fetch(bar.dataset.liveUrl, { signal: mine.signal, cache: "no-store" });
            if (response.redirected || response.status === 403) leave();
            else show(parsed(await response.text()));
        } catch {
            if (asking === mine) lose("site");
        } finally {
            clearTimeout(patience);
            if (asking === mine) {
                asking = null;
                showAge();
                schedule();
            }
        }
    }

    function parsed(html) {
        const template = document.createElement("template");
        template.innerHTML = html;
        return template.content;
    }

    // --- showing --------------------------------------------------------------------------------

    function show(fresh) {
        if (fresh.querySelector("[data-database-away]")) return lose("database");
        const answer = fresh.querySelector("[data-live-answer]");
        if (!answer) throw new Error("this is no answer");
        const isAway = "unavailable" in answer.dataset;
        if ("unavailable" in bar.dataset) {
            // A page that came without figures has no place for them, and shows a note already.
            if (!isAway) location.replace(location.pathname + location.search);
            return lose("site");
        }
        showLocalTimes(fresh);
        const focused = document.activeElement;
        for (const part of fresh.querySelectorAll("[data-live]")) {
            for (const old of document.querySelectorAll(`[data-live="${CSS.escape(part.dataset.live)}"]`)) {
                updateChildren(old, part.cloneNode(true));
            }
        }
        // An element that is moved loses the focus.
        if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
        // A page that only announces new jobs keeps its age.
        if (!isAway && !("liveStatic" in bar.dataset)) readAt = performance.now() - Number(answer.dataset.age) * 1000;
        if (state !== "paused") state = isAway ? "lost" : "fresh";
        grey(isAway);
        if ("ended" in answer.dataset) end();
    }

    // The page explains the loss itself, unless it shows an explanation already.
    function lose(what) {
        if (state !== "paused") state = "lost";
        grey(true);
        for (const place of document.querySelectorAll('[data-live="away"]:empty')) {
            place.append(bar.querySelector(`[data-live-banner="${what}"]`).content.cloneNode(true));
        }
    }

    function end() {
        state = "ended";
        button.hidden = true;
    }

    function leave() {
        state = "left";
        grey(true);
    }

    // Nothing can be done while nobody answers.
    function grey(isGrey) {
        isLost = isGrey;
        for (const control of document.querySelectorAll(ACTIONS)) {
            if ("disabled" in control) {
                control.disabled = isGrey;
            } else if (isGrey && control.hasAttribute("href")) {
                control.dataset.href = control.getAttribute("href");
                control.removeAttribute("href");
                if (!control.hasAttribute("role")) control.setAttribute("role", "link");
                control.setAttribute("aria-disabled", "true");
            } else if (!isGrey && control.dataset.href) {
                control.setAttribute("href", control.dataset.href);
                if (control.getAttribute("role") === "link") control.removeAttribute("role");
                for (const name of ["data-href", "aria-disabled"]) control.removeAttribute(name);
            }
        }
    }

    function update(old, fresh) {
        if (old.isEqualNode(fresh)) return;
        if (old.nodeName !== fresh.nodeName) {
            old.replaceWith(fresh);
        } else if (old.nodeType !== Node.ELEMENT_NODE) {
            old.data = fresh.data;
        } else {
            updateAttributes(old, fresh);
            updateChildren(old, fresh);
        }
    }

    function updateAttributes(old, fresh) {
        for (const { name } of [...old.attributes]) {
            // The reader opens and closes details.
            if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
        }
        for (const { name, value } of fresh.attributes) {
            if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
        }
    }

    // Children with a key stay with it when others come and go, so a button that has the focus never
    // becomes the button of another row; the rest are told apart by their order.
    function updateChildren(old, fresh) {
        const keyed = new Map();
        for (const child of old.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
        const wanted = [...fresh.childNodes];
        wanted.forEach((child, index) => {
            const key = child.dataset?.key;
            let place = old.childNodes[index];
            const known = key && keyed.get(key);
            if (known && known !== place) old.insertBefore(known, place ?? null);
            else if (key && !known) old.insertBefore(child, place ?? null);
            place = old.childNodes[index];
            if (!place) old.append(child);
            else if (place !== child) update(place, child);
        });
        while (old.childNodes.length > wanted.length) old.lastChild.remove();
    }

    function showAge() {
        const seconds = Math.max(0, Math.round((performance.now() - readAt) / 1000));
        const word = state === "lost" && "unavailable" in bar.dataset ? "none" : state;
        const text = age.dataset[word].replace("%s ", "%s\u00a0").replace("%s", seconds);
        if (age.textContent !== text) age.textContent = text;
        bar.dataset.state = state;
        const label = state === "paused" ? button.dataset.goOn : button.dataset.pause;
        if (button.textContent !== label) button.textContent = label;
    }

    // --- steering -------------------------------------------------------------------------------

    button.addEventListener("click", () => {
        const wasPaused = state === "paused";
        state = !wasPaused ? "paused" : isLost ? "lost" : "fresh";
        showAge();
        if (wasPaused) ask();
        else clearTimeout(timer);
    });

    document.addEventListener("visibilitychange", () => {
        clearTimeout(timer);
        if (!document.hidden && !["paused", "left", "ended"].includes(state)) ask();
    });

    button.hidden = false;
    showAge();
    setInterval(showAge, 1000);
    schedule();
})();
