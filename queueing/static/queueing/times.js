/* Shows each <time> in the browser's own zone and language. Without this file the server's text stays, which is
   in the server's zone. A script that adds markup to a page calls showLocalTimes on it. */

"use strict";

const showLocalTimes = (() => {
    const format = (options) => new Intl.DateTimeFormat(undefined, options);
    const full = format({ dateStyle: "medium", timeStyle: "long" });
    const clock = format({ timeStyle: "medium" });
    const earlier = {
        minute: format({ dateStyle: "medium", timeStyle: "short" }),
        day: format({ dateStyle: "medium" }),
    };
    const exact = format({
        year: "numeric", month: "2-digit", day: "2-digit",
        hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
    });

    function text(at, precision) {
        if (precision === "exact") return exact.format(at);
        const isToday = at.toDateString() === new Date().toDateString();
        return (isToday ? clock : earlier[precision]).format(at);
    }

    return (root) => {
        for (const time of root.querySelectorAll("time[data-precision]")) {
            const at = new Date(time.dateTime);
            if (Number.isNaN(at.getTime())) continue;
            time.textContent = text(at, time.dataset.precision);
            time.title = full.format(at);
        }
    };
})();

document.addEventListener("DOMContentLoaded", () => showLocalTimes(document));
