// Elements without a name for screen readers, elements that the keyboard cannot reach, and duplicate ids.
() => {
    const seen = (element) => element.checkVisibility();
    const start = (element) => element.outerHTML.slice(0, 120);
    const all = (selector) => [...document.querySelectorAll(selector)];

    const isNamed = (field) => field.labels?.length || field.title
        || field.getAttribute("aria-label") || field.getAttribute("aria-labelledby");
    const unlabelled = all("input, select, textarea, progress, meter")
        .filter((field) => !["hidden", "submit", "button"].includes(field.type))
        .filter((field) => seen(field) && !isNamed(field));

    const pressed = all("a[href], button, input[type=submit], summary").filter(seen);
    const name = (link) => link.textContent.trim() || link.value || link.title
        || link.getAttribute("aria-label")
        || link.querySelector("img[alt]")?.alt
        || link.querySelector("svg[aria-label]")?.getAttribute("aria-label");

    const ids = all("[id]").map((element) => element.id);
    const doubled = new Set(ids.filter((id, index) => ids.indexOf(id) !== index));

    return [
        ...unlabelled.map((field) => `no label: ${start(field)}`),
        ...pressed.filter((link) => !name(link)).map((link) => `no name: ${start(link)}`),
        ...pressed.filter((link) => link.tabIndex < 0).map((link) => `no keyboard: ${start(link)}`),
        ...[...doubled].map((id) => `id twice: ${id}`),
        ...(all("h1").length ? [] : ["no heading"]),
        ...(document.title.trim() ? [] : ["no title"]),
    ];
}
