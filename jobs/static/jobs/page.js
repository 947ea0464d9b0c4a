/* Makes the page move by itself: sends without a reload and asks for the state again and again.
   All markup comes from the server, so without this file the page says the same, once. */

"use strict";

(() => {
    const FAST_MS = 250; // after a press, until the message has settled
    const FAST_FOR_MS = 30_000;
    const SLOW_MS = 3_000;
    const PATIENCE_MS = 5_000; // a request that takes longer is given up
    const OLD_AFTER_MS = 6_000;
    const SETTLED = new Set(["done", "dead", "gone"]);

    const sending = document.getElementById("sending");
    const words = sending.dataset; // sentences in the reader's language
    const notice = document.getElementById("notice");
    const state = document.getElementById("state");
    const age = document.getElementById("age");

    let followed = state.dataset.sent; // the id of the message that was sent last
    let told = ""; // the state of it that was last announced
    let fastUntil = followed ? performance.now() + FAST_FOR_MS : 0;
    let freshAt = performance.now();
    let timer = 0;
    let asking = null; // the AbortController of the request under way
    let failed = "away" in sending.dataset;
    let pressed = null; // the button whose message is on its way

    // --- asking ---------------------------------------------------------------------------------

    function rowOf(id) {
        return id ? state.querySelector(`.message[data-id="${CSS.escape(id)}"]`) : null;
    }

    function isFollowing() {
        const row = rowOf(followed);
        return performance.now() < fastUntil && !(row && SETTLED.has(row.dataset.state));
    }

    function schedule(delay = isFollowing() ? FAST_MS : SLOW_MS) {
        clearTimeout(timer);
        if (!document.hidden) timer = setTimeout(ask, delay);
    }

    function stopAsking() {
        asking?.abort();
        asking = null;
    }

    async function ask() {
        stopAsking();
        const mine = asking = new AbortController();
        const patience = setTimeout(() => mine.abort(), PATIENCE_MS);
        try {
            const query = followed ? `?${new URLSearchParams({ sent: followed })}` : "";
            const response = await fetch(state.dataset.url + query, { signal: mine.signal, cache: "no-store" });
            if (!response.ok) throw new Error(response.statusText);
            show(parsed(await response.text()));
        } catch {
            if (asking === mine) showAway();
        } finally {
            clearTimeout(patience);
            if (asking === mine) {
                asking = null;
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
        const parts = [...fresh.querySelectorAll("[data-part]")];
        if (!parts.length) throw new Error("this is not the state");
        const whole = fresh.querySelector("[data-part=messages]") !== null; // else there is a banner only
        failed = !whole;
        if (whole) freshAt = performance.now();
        if (whole && !state.querySelector("[data-part=messages]")) {
            showLocalTimes(fresh);
            state.replaceChildren(fresh);
        } else {
            for (const part of parts) update(state.querySelector(`[data-part="${part.dataset.part}"]`), part);
        }
        tellProgress();
        showAge();
        greyButtons();
    }

    // Not "disabled": that would take the focus away.
    function greyButtons() {
        sending.toggleAttribute("data-away", failed);
        for (const button of sending.querySelectorAll("button")) {
            if (failed || button === pressed) button.setAttribute("aria-disabled", "true");
            else button.removeAttribute("aria-disabled");
        }
    }

    function tellProgress() {
        const row = rowOf(followed);
        if (!row || row.dataset.state === told) return;
        told = row.dataset.state;
        if (told !== "ready") tell(words.now.replace("%s", row.querySelector(".word").textContent), "ok");
    }

    function update(old, fresh) {
        if (fresh.dataset.part === "messages") updateRows(old, fresh);
        else if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    }

    // A row stays the same element for as long as its message is listed: so it can move and change
    // colour, and a selection in it is not lost.
    function updateRows(list, fresh) {
        const old = new Map([...list.children].map((row) => [row.dataset.id, row]));
        const rows = [...fresh.children].map((row) => {
            showLocalTimes(row);
            const known = old.get(row.dataset.id);
            if (!known) {
                row.dataset.new = "";
                return row;
            }
            for (const name of ["state", "mine"]) {
                if (row.dataset[name] === undefined) delete known.dataset[name];
                else known.dataset[name] = row.dataset[name];
            }
            updateRow(known, row);
            return known;
        });
        rows.forEach((row, index) => {
            if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
        });
        while (list.children.length > rows.length) list.lastElementChild.remove();
    }

    // A message that was just sent is listed as ready immediately. A quick worker may have finished it
    // before the next reading of the queue.
    function showJustSent(id) {
        const list = state.querySelector("[data-part=messages]");
        if (!list || rowOf(id)) return;
        const row = document.getElementById("just-sent").content.firstElementChild.cloneNode(true);
        row.dataset.id = row.querySelector(".id").textContent = id;
        row.dataset.mine = row.dataset.new = "";
        for (const other of list.querySelectorAll("[data-mine]")) delete other.dataset.mine;
        list.querySelector(".empty")?.remove();
        list.prepend(row);
    }

    function updateRow(known, row) {
        for (const name of ["text", "state", "progress", "facts", "error"]) {
            const was = known.querySelector(`:scope > .${name}`);
            const is = row.querySelector(`:scope > .${name}`);
            if (was && is && was.innerHTML === is.innerHTML) continue;
            if (was && is && name === "progress") updateProgress(was, is);
            else if (was && is) was.replaceWith(is);
            else if (is) known.append(is);
            else if (was) was.remove();
        }
    }

    // The bar stays the same element, so that it grows instead of jumping.
    function updateProgress(was, is) {
        was.querySelector("progress").value = is.querySelector("progress").value;
        was.querySelector(".note").replaceWith(is.querySelector(".note"));
    }

    function showAway() {
        failed = true;
        const banner = document.createElement("p");
        banner.className = "banner";
        banner.setAttribute("role", "alert");
        banner.textContent = state.dataset.away;
        const place = state.querySelector("[data-part=banner]");
        if (place.textContent.trim() !== banner.textContent) place.replaceChildren(banner);
        showAge();
        greyButtons();
    }

    function showAge() {
        const old_ms = performance.now() - freshAt;
        const hasData = state.querySelector("[data-part=messages]") !== null;
        const isOld = hasData && (failed || old_ms > OLD_AFTER_MS);
        state.toggleAttribute("data-stale", isOld);
        const text = isOld ? state.dataset.old.replace("%s ", "%s\u00a0").replace("%s", Math.round(old_ms / 1000)) : "";
        if (age.textContent !== text) age.textContent = text;
    }

    // --- sending --------------------------------------------------------------------------------

    function tell(text, kind) {
        notice.textContent = text;
        notice.dataset.kind = kind;
    }

    async function send(form, button) {
        const patience = new AbortController();
        const waiting = setTimeout(() => patience.abort(), PATIENCE_MS);
        const body = new FormData(form);
        if (button.name) body.append(button.name, button.value);
        try {
            const response = await fetch(button.hasAttribute("formaction") ? button.formAction : form.action, {
                method: "POST",
                body,
                headers: { Accept: "application/json" },
                signal: patience.signal,
            });
            const answer = await response.json();
            if (!response.ok) {
                tell(answer.error, "error");
                return;
            }
            followed = answer.id;
            told = "";
            fastUntil = performance.now() + FAST_FOR_MS;
            const sentence = answer.count ? words.sentMany.replace("%n", answer.count) : words.sent;
            tell(sentence.replace("%s", answer.id), "ok");
            if (form.id === "send") showJustSent(answer.id);
            stopAsking(); // that answer would not know the message yet
        } catch {
            tell(words.lost, "error");
        } finally {
            clearTimeout(waiting);
        }
    }

    sending.addEventListener("submit", async (event) => {
        event.preventDefault();
        const form = event.target;
        const button = event.submitter ?? form.querySelector("button");
        if (button.getAttribute("aria-disabled") === "true") return;
        const label = button.textContent;
        const isMain = form.id === "send"; // only its button is wide enough for another label
        pressed = button;
        greyButtons();
        if (isMain) button.textContent = words.sending;
        await send(form, button);
        button.textContent = label;
        pressed = null;
        greyButtons();
        schedule(isMain ? undefined : 0);
    });

    document.addEventListener("visibilitychange", () => {
        if (document.hidden) clearTimeout(timer);
        else ask();
    });

    told = rowOf(followed)?.dataset.state ?? "";
    setInterval(showAge, 1000);
    schedule();
})();
