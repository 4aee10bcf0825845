// What is wrong with a page for some of its readers. Each function gives a
// list of faults, in words.

window.access = (() => {
    "use strict";

    const all = (selector) => [...document.querySelectorAll(selector)];
    const isShown = (element) => element.checkVisibility({
        opacityProperty: true,
        visibilityProperty: true,
    });
    const name = (element) => {
        const classes = [...element.classList].join(".");
        const parent = element.parentElement?.closest("[class]");
        const inside = parent ? `.${[...parent.classList].join(".")} ` : "";
        return `${inside}${element.localName}${classes ? `.${classes}` : ""}`;
    };

    // Red, green and blue from 0 to 255, and the opacity from 0 to 1.
    const parse = (color) => {
        const parts = /^rgba?\(([\d., ]+)\)$/.exec(color);
        if (!parts) {
            throw new Error(`what color is ${color}?`);
        }
        const [red, green, blue, alpha = 1] = parts[1].split(",").map(Number);
        return [red, green, blue, alpha];
    };
    const over = (front, back) => [0, 1, 2]
        .map((part) => front[part] * front[3] + back[part] * (1 - front[3]));

    // WCAG 2.2, "relative luminance" and "contrast ratio".
    const luminance = (color) => {
        const [red, green, blue] = color.map((part) => {
            const value = part / 255;
            return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };

    // What is behind an element: the grounds of all that it is in. A
    // transcript's turns are in front of their screens, and not in them.
    const ground = (element) => {
        const color = (one, property = "backgroundColor") =>
            parse(getComputedStyle(one)[property]);
        const behind = [];
        for (let one = element; one; one = one.parentElement) {
            if (one instanceof SVGElement) {
                continue;
            }
            behind.push(color(one));
            if (one.matches(".transcript .terminals")) {
                const screen = one.querySelector(".screen");
                behind.push(screen ? color(screen) : [0, 0, 0, 0]);
            }
        }
        let found = parse(getComputedStyle(document.body).backgroundColor);
        for (const front of behind.reverse()) {
            found = over(front, found);
        }
        // In a picture, the last shape that was drawn there.
        if (element instanceof SVGElement) {
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            for (const shape of element.ownerSVGElement.querySelectorAll("rect, circle")) {
                const place = shape.getBoundingClientRect();
                const isHere = place.left <= x && x <= place.right
                    && place.top <= y && y <= place.bottom;
                const isBefore = shape.compareDocumentPosition(element)
                    & Node.DOCUMENT_POSITION_FOLLOWING;
                const fill = getComputedStyle(shape).fill;
                if (isHere && isBefore && fill !== "none") {
                    found = over(parse(fill), found);
                }
            }
        }
        return found;
    };

    const hasText = (element) => [...element.childNodes]
        .some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());

    let pairs = 0;
    // Text that differs too little from its ground (1.4.3), also what style
    // sheets add.
    const faint = () => {
        const found = new Set();
        pairs = 0;
        for (const element of all("body *")) {
            if (!isShown(element) || element.matches(":disabled")) {
                continue;
            }
            for (const part of [null, "::before", "::after"]) {
                const style = getComputedStyle(element, part);
                const isText = part
                    ? /^".*[^\s"].*"/.test(style.content)
                    : hasText(element);
                if (!isText || style.visibility === "hidden") {
                    continue;
                }
                const isPicture = element instanceof SVGElement;
                const back = ground(element);
                const front = over(parse(isPicture ? style.fill : style.color), back);
                const size = parseFloat(style.fontSize);
                const isLarge = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
                const ratio = contrast(front, back);
                pairs += 1;
                if (ratio < (isLarge ? 3 : 4.5)) {
                    found.add(`${name(element)}${part ?? ""}: ${ratio.toFixed(2)}, `
                        + `${front.map(Math.round)} on ${back.map(Math.round)}`);
                }
            }
        }
        if (pairs < 50) {
            found.add(`there is nearly no text: ${pairs}`);
        }
        return [...found];
    };

    // Boxes that scroll, and cannot be scrolled with the keys, or do not say
    // what they are.
    const unreachable = () => all("body *").filter((element) => {
        const style = getComputedStyle(element);
        const scrolls = (overflow, size, room) =>
            /auto|scroll/.test(overflow) && size > room;
        return isShown(element)
            && (scrolls(style.overflowX, element.scrollWidth, element.clientWidth)
                || scrolls(style.overflowY, element.scrollHeight, element.clientHeight));
    }).filter((element) => {
        const isNamed = element.hasAttribute("aria-label")
            || document.getElementById(element.getAttribute("aria-labelledby"));
        const hasRole = element.hasAttribute("role")
            || element.matches("nav, dialog");
        const isReached = element.tabIndex >= 0
            || element.querySelector("a, button");
        return !isNamed || !hasRole || !isReached;
    }).map(name);

    // Text of which a part is cut off.
    const clipped = () => all("body *").filter((element) => {
        const style = getComputedStyle(element);
        const isCut = (overflow, size, room) =>
            /hidden|clip/.test(overflow) && size > room + 1;
        return isShown(element) && element.clientHeight > 1
            && (isCut(style.overflowX, element.scrollWidth, element.clientWidth)
                || isCut(style.overflowY, element.scrollHeight, element.clientHeight));
    }).map(name);

    // What moves by itself, or slides.
    const moving = () => {
        const found = all("*").filter((element) => {
            const style = getComputedStyle(element);
            return style.animationName !== "none"
                || /[1-9]/.test(style.transitionDuration)
                || style.scrollBehavior === "smooth";
        });
        return found.map(name);
    };

    // What a page needs to be found one's way in.
    const structure = () => {
        const found = [];
        const must = (is, what) => is || found.push(what);
        must(/^[a-z]{2}/.test(document.documentElement.lang), "no language");
        must(document.title, "no title");
        must(document.querySelector("meta[name=description]")?.content, "no description");
        for (const landmark of ["main", "body > header", "h1"]) {
            const count = all(landmark).length;
            must(count === 1, `${count} of ${landmark}`);
        }
        for (const nav of all("nav")) {
            must(nav.ariaLabel, "a nav without a name");
        }
        let last = 0;
        for (const heading of all("h1, h2, h3, h4, h5, h6")) {
            const level = Number(heading.localName[1]);
            must(level <= last + 1, `after h${last}, ${heading.outerHTML}`);
            last = level;
        }
        const ids = all("[id]").map((element) => element.id);
        for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) {
            found.push(`two of #${id}`);
        }
        for (const figure of all("figure")) {
            const isNamed = figure.ariaLabel
                || figure.matches(".listing") && figure.querySelector("figcaption")
                || figure.querySelector("svg[aria-labelledby], svg[aria-label]")
                || document.getElementById(figure.getAttribute("aria-labelledby"));
            must(isNamed, `a figure without a name: ${name(figure)}`);
        }
        return found;
    };

    // What is wrong with where the focus is: that nobody sees it, or that it
    // is under something, or not in the window.
    const focus = () => {
        const element = document.activeElement;
        // A circle that is not shown has the focus for its words.
        const shown = element.matches(".listing-switch input")
            ? element.parentElement : element;
        const found = [];
        const style = getComputedStyle(shown);
        if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) {
            found.push("no outline");
        } else {
            const back = ground(shown.parentElement);
            const ratio = contrast(over(parse(style.outlineColor), back), back);
            if (ratio < 3) {
                found.push(`a faint outline: ${ratio.toFixed(2)}`);
            }
        }
        // A box of several lines can be larger than a window.
        const box = [...shown.getClientRects()][0];
        const bar = document.querySelector(".bar");
        const top = bar.contains(shown) || shown.matches(".skip")
            ? 0 : bar.getBoundingClientRect().bottom;
        const isTall = box.height > innerHeight - top;
        if (box.top < top - 0.5 && !isTall) {
            found.push(`under the bar: ${box.top} < ${top}`);
        }
        if (box.bottom > innerHeight + 0.5 && !isTall) {
            found.push(`below the window: ${box.bottom} > ${innerHeight}`);
        }
        const [x, y] = [box.x + Math.min(box.width, innerWidth) / 2, Math.max(box.top, top)
            + Math.min(box.height, innerHeight - top) / 2];
        const front = document.elementFromPoint(x, y);
        if (front && !shown.contains(front) && !front.contains(shown)) {
            found.push(`under ${name(front)}`);
        }
        return found.map((what) => `${name(shown)} "${shown.textContent.slice(0, 20)}": ${what}`);
    };

    return { faint, unreachable, clipped, moving, structure, focus };
})();
