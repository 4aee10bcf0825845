// What a page can do besides being read: choose colors, show the chapters on a
// narrow window, search. The page is complete without it.

(() => {
    "use strict";

    const root = document.documentElement;
    const bar = document.querySelector(".bar");
    const contents = document.getElementById("contents");
    root.classList.add("js");

    const button = (text) => {
        const made = document.createElement("button");
        made.type = "button";
        made.textContent = text;
        return made;
    };

    // On paper, what folds is open: for browsers in which page.css cannot say
    // so (::details-content).
    addEventListener("beforeprint", () => {
        for (const fold of document.querySelectorAll("details:not([open])")) {
            fold.open = true;
            addEventListener("afterprint", () => {
                fold.open = false;
            }, { once: true });
        }
    });

    // The chapter that is read, and what is in it.
    const here = location.pathname.split("/").pop() || "index.html";
    const links = [...contents.querySelectorAll("a")];
    const current = links.find((link) => link.pathname.endsWith(`/${here}`))
        ?? (here === "index.html" ? links[0] : undefined);
    if (current) {
        current.setAttribute("aria-current", "page");
        const list = document.createElement("ol");
        list.className = "on-this-page";
        for (const heading of document.querySelectorAll("main > h2[id]")) {
            const item = document.createElement("li");
            const link = document.createElement("a");
            link.href = `#${heading.id}`;
            link.textContent = heading.textContent;
            item.append(link);
            list.append(item);
        }
        if (list.children.length > 0 && list.children.length < 30) {
            current.closest("li").append(list);
        }
        const box = contents.getBoundingClientRect();
        const place = current.getBoundingClientRect();
        if (place.bottom > box.bottom) {
            contents.scrollTop += place.top - box.top - box.height / 3;
        }
    }

    // On a narrow window the chapters come in front of the text.
    const toContents = bar.querySelector(".to-contents");
    const showContents = button("Contents");
    showContents.className = "to-contents";
    showContents.setAttribute("aria-controls", "contents");
    const setContents = (shown) => {
        contents.classList.toggle("shown", shown);
        showContents.setAttribute("aria-expanded", shown);
    };
    setContents(false);
    showContents.addEventListener("click", () => {
        setContents(!contents.classList.contains("shown"));
        current?.focus();
    });
    contents.addEventListener("click", (event) => {
        if (event.target.closest("a")) {
            setContents(false);
        }
    });
    document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && contents.classList.contains("shown")) {
            setContents(false);
            showContents.focus();
        }
    });
    toContents.replaceWith(showContents);

    // The colors: the system's, or always light, or always dark.
    const COLORS = {
        "": ["◐", "Colors: as the system has them"],
        light: ["☀", "Colors: light"],
        dark: ["☾", "Colors: dark"],
    };
    const colors = button("");
    const setColors = (choice) => {
        const [sign, text] = COLORS[choice];
        root.dataset.colors = choice;
        colors.textContent = sign;
        colors.title = text;
        colors.setAttribute("aria-label", text);
    };
    setColors(root.dataset.colors in COLORS ? root.dataset.colors : "");
    colors.addEventListener("click", () => {
        const choices = Object.keys(COLORS);
        const next = choices.indexOf(root.dataset.colors) + 1;
        setColors(choices[next % choices.length]);
        try {
            localStorage.setItem("colors", root.dataset.colors);
        } catch {
            // Then it holds for this page alone.
        }
    });

    // Searching, in what mdBook has written down of the text: every section
    // that has the words, those first that have them together.
    let sections = null;
    const load = () => new Promise((done, failed) => {
        if (sections) {
            done();
            return;
        }
        window.search = window.search ?? {};
        const script = document.createElement("script");
        script.src = path_to_searchindex;
        script.onload = () => {
            const { doc_urls: urls, index } = window.search;
            const documents = Object.values(index.documentStore.docs);
            sections = documents.map(({ id, title, body, breadcrumbs }) => ({
                url: urls[id],
                title,
                body: body.replace(/\s+/g, " "),
                place: breadcrumbs,
            }));
            done();
        };
        script.onerror = failed;
        document.head.append(script);
    });

    const find = (query) => {
        const phrase = query.trim().toLowerCase().replace(/\s+/g, " ");
        const words = phrase.split(" ").filter(Boolean);
        if (words.length === 0) {
            return [];
        }
        const found = [];
        for (const section of sections) {
            const title = section.title.toLowerCase();
            const body = section.body.toLowerCase();
            const all = words.every((word) =>
                title.includes(word) || body.includes(word));
            // Whoever pastes what a terminal says has an error in it.
            const error = section.url.startsWith("errors.html#")
                && title.includes(" ") && phrase.includes(title);
            if (!all && !error) {
                continue;
            }
            const score = 8 * (title === phrase)
                + 8 * error
                + 4 * title.includes(phrase)
                + 2 * body.includes(phrase)
                + words.every((word) => title.includes(word));
            const at = Math.max(0, body.indexOf(body.includes(phrase) ? phrase : words[0]));
            found.push({ section, score, at });
        }
        return found.sort((one, other) => other.score - one.score);
    };

    const MOST = 40;
    const search = document.createElement("dialog");
    search.className = "search";
    search.setAttribute("aria-label", "Search");
    search.innerHTML = '<form method="dialog" role="search">'
        + '<input type="text" role="searchbox" aria-label="Search the book" '
        + 'placeholder="An error message, a system call, a word" '
        + 'autocomplete="off" spellcheck="false">'
        + "<button>Close</button></form><p role=\"status\"></p><ol></ol>";
    const input = search.querySelector("input");
    const status = search.querySelector("p");
    const results = search.querySelector("ol");

    // A part of a text, with the words marked.
    const marked = (text, words) => {
        const part = document.createElement("span");
        const escape = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
        const pattern = new RegExp(`(${words.map(escape).join("|")})`, "gi");
        text.split(pattern).forEach((piece, index) => {
            if (index % 2 === 0) {
                part.append(piece);
            } else {
                const mark = document.createElement("mark");
                mark.textContent = piece;
                part.append(mark);
            }
        });
        return part;
    };

    const show = async () => {
        try {
            await load();
        } catch {
            status.textContent = "What to search in cannot be loaded.";
            return;
        }
        const query = input.value;
        const words = query.trim().split(/\s+/).filter(Boolean);
        const found = find(query);
        status.textContent = words.length === 0
            ? ""
            : `${found.length} ${found.length === 1 ? "section" : "sections"}`;
        results.replaceChildren(...found.slice(0, MOST).map(({ section, at }) => {
            const item = document.createElement("li");
            const link = document.createElement("a");
            // The browser shows where the words are (URL text fragments).
            const text = encodeURIComponent(query.trim()).replace(/-/g, "%2D");
            link.href = `${path_to_root}${section.url}:~:text=${text}`;
            const title = document.createElement("b");
            title.textContent = section.title;
            const place = document.createElement("small");
            place.textContent = section.place;
            const from = Math.max(0, at - 40);
            const part = section.body.slice(from, at + 120);
            link.append(title, place, marked((from ? "… " : "") + part, words));
            item.append(link);
            return item;
        }));
    };
    input.addEventListener("input", show);
    // Enter leads to the first section, also when it is searched still.
    input.addEventListener("keydown", async (event) => {
        if (event.key !== "Enter") {
            return;
        }
        event.preventDefault();
        await show();
        results.querySelector("a")?.click();
    });
    search.addEventListener("click", (event) => {
        if (event.target === search || event.target.closest("li a")) {
            search.close();
        }
    });
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    search.addEventListener("keydown", (event) => {
        const step = steps[event.key];
        if (!step) {
            return;
        }
        event.preventDefault();
        const all = [input, ...results.querySelectorAll("a")];
        const now = all.indexOf(document.activeElement);
        all[Math.min(Math.max(now + step, 0), all.length - 1)].focus();
    });
    const openSearch = () => {
        setContents(false);
        search.showModal();
        input.select();
        show();
    };
    if (path_to_searchindex) {
        document.body.append(search);
        const open = button("Search ");
        const key = document.createElement("kbd");
        key.textContent = "/";
        open.append(key);
        open.setAttribute("aria-keyshortcuts", "/");
        open.addEventListener("click", openSearch);
        bar.append(open);
    }
    bar.append(colors);

    // Keys, unless something that takes keys has the focus.
    const takesKeys = (element) => element.closest(
        "input, textarea, select, button, dialog, pre, [tabindex], [contenteditable], summary, .transcript",
    );
    document.addEventListener("keydown", (event) => {
        if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
            return;
        }
        const typing = event.target.closest("input, textarea, select, dialog");
        if ((event.key === "/" || event.key === "s") && path_to_searchindex) {
            if (!typing) {
                event.preventDefault();
                openSearch();
            }
            return;
        }
        const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
        if (rel && !takesKeys(event.target)) {
            document.querySelector(`.turn-page [rel="${rel}"]`)?.click();
        }
    });
})();
