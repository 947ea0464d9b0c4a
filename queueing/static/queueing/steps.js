/* Continues an action that is done in steps, and shows its progress, until it is finished or stopped.
   Without this file each step needs a press of "Continue". */

"use strict";

(() => {
    const PAUSE_MS = 200; // leaves time for other requests

    const form = document.querySelector("[data-steps]");
    const told = form.querySelector("[data-steps-told]");
    const left = form.querySelector("[data-steps-left]");
    const trouble = form.querySelector("[data-steps-trouble]");
    const stop = form.querySelector("[data-steps-stop]");
    const others = form.querySelectorAll("[data-steps-go-on], .closelink");

    let isStopped = false;

    async function go() {
        while (!isStopped) {
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
            if (!isStopped) await step();
        }
        show(false);
    }

    // Waits for the running step, so that its result is shown.
    async function step() {
        let page;
        try {
            // The page at the end shows its message once, so it is not fetched here.
            const response = await fetch(location.href, { method: "POST", body: new FormData(form), redirect: "manual" });
            if (response.type === "opaqueredirect") return leave();
            if (!response.ok) throw new Error(response.statusText);
            page = new DOMParser().parseFromString(await response.text(), "text/html");
        } catch {
            return halt();
        }
        const newer = page.querySelector("[data-steps-told]");
        if (!newer) return halt();
        told.replaceChildren(...newer.childNodes);
        left.value = page.querySelector("[data-steps-left]").value;
        if ("halted" in newer.dataset) isStopped = true;
    }

    function halt() {
        trouble.hidden = false;
        isStopped = true;
    }

    function leave() {
        location.assign(form.dataset.end);
        return new Promise(() => {}); // nothing more
    }

    function show(isRunning) {
        stop.hidden = !isRunning;
        for (const other of others) other.hidden = isRunning;
        if (isRunning) stop.focus();
        else others[0].focus();
    }

    stop.addEventListener("click", () => { isStopped = true; });

    if ("halted" in told.dataset) return;
    show(true);
    go();
})();
