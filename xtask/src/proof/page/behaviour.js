// Filters and sorts rows that are already on the page; the page says the same without it.
"use strict";

(() => {
  const number = (count) => count.toLocaleString("en");

  const filters = [...document.querySelectorAll("[data-filter]")].map(filter);

  // A filter names the region whose rows it shows and hides.
  function filter(box) {
    const key = box.dataset.filter;
    const region = document.getElementById(box.dataset.region);
    const rows = [...region.querySelectorAll("[data-row]")];
    const groups = [...region.querySelectorAll("[data-group]")];
    const count = box.querySelector("[data-count]");
    const controls = [...box.querySelectorAll("[name]")];
    const texts = new Map();
    const opened = new Set();
    let active = false;

    const text = (row) => {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return texts.get(row);
    };
    const words = () =>
      controls
        .filter((control) => control.type === "search")
        .flatMap((control) => control.value.toLowerCase().split(/\s+/))
        .filter(Boolean);
    const choices = () =>
      controls
        .filter((control) => control.type !== "search" && control.value)
        .map((control) => [control.name, control.value]);

    const apply = () => {
      const wanted = words();
      const chosen = choices();
      active = wanted.length + chosen.length > 0;
      let shown = 0;
      const alive = new Set();
      for (const row of rows) {
        const keep =
          chosen.every(([name, value]) => (row.dataset[name] ?? "").split(" ").includes(value)) &&
          wanted.every((word) => text(row).includes(word));
        row.toggleAttribute("data-out", !keep);
        if (!keep) continue;
        shown += 1;
        for (let at = row.closest("[data-group]"); at && !alive.has(at); at = at.parentElement.closest("[data-group]"))
          alive.add(at);
      }
      for (const group of groups) {
        const out = active && !alive.has(group);
        group.toggleAttribute("data-out", out);
        if (group.tagName !== "DETAILS") continue;
        if (active && !out && !group.open) {
          group.open = true;
          opened.add(group);
        } else if (!active && opened.delete(group)) {
          group.open = false;
        }
      }
      const all = `${number(rows.length)} ${box.dataset.things}`;
      count.textContent = active ? `${number(shown)} of ${all} shown` : all;
    };

    const state = () => controls.filter((c) => c.value).map((c) => [`${key}.${c.name}`, c.value]);
    const restore = (parameters) => {
      for (const control of controls) {
        const value = parameters.get(`${key}.${control.name}`) ?? "";
        control.value = value;
        // A value that the list doesn't offer chooses nothing.
        if (control.value !== value) control.value = "";
      }
      apply();
    };

    box.hidden = false;
    box.addEventListener("input", () => {
      apply();
      remember(box.dataset.region);
    });
    box.querySelector("button").addEventListener("click", () => {
      for (const control of controls) control.value = "";
      apply();
      remember(box.dataset.region);
    });
    return { restore, state };
  }

  // The fragment is `place?key.name=value&…`, so that a filtered view can be linked to.
  function remember(place) {
    const parameters = new URLSearchParams(filters.flatMap((each) => each.state())).toString();
    const fragment = parameters ? `#${place}?${parameters}` : `#${place}`;
    history.replaceState(null, "", fragment);
  }

  function follow(first) {
    const [place, query] = location.hash.slice(1).split("?", 2);
    const target = document.getElementById(plain(place));
    if (query !== undefined || first) {
      const parameters = new URLSearchParams(query ?? "");
      for (const each of filters) each.restore(parameters);
    } else if (target?.matches("[data-out]")) {
      // Where the way leads to a row that is filtered out, the row wins.
      for (const each of filters) each.restore(new URLSearchParams());
    } else if (place && filters.some((each) => each.state().length)) {
      remember(place);
    }
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const row = target.matches("[data-row]");
    const own = row && target.querySelector("details");
    if (own) own.open = true;
    if (row || query !== undefined) target.scrollIntoView({ behavior: "instant" });
  }

  // What can't be decoded names nothing.
  function plain(place) {
    try {
      return decodeURIComponent(place);
    } catch {
      return "";
    }
  }

  // A table whose rows may be put in another order says so; each of its headings becomes a button.
  const headings = [];
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      headings.push([head, button]);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const value = (row) => {
          const cell = row.cells[column];
          return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
        };
        const order = new Intl.Collator("en", { numeric: true });
        const compare = (one, other) =>
          typeof one === "number" && typeof other === "number" ? one - other : order.compare(one, other);
        const rows = [...body.rows].map((row) => [value(row), row]);
        rows.sort(([one], [other]) => (down ? compare(other, one) : compare(one, other)));
        body.append(...rows.map(([, row]) => row));
      });
    });
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) sortable(table);
  window.addEventListener("hashchange", () => follow(false));
  follow(true);

  // Paper shows everything that a reader could open, and on each of its pages what the columns are: of a button, the
  // headings that are repeated there show nothing.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
    for (const [, button] of headings) button.replaceWith(...button.childNodes);
  });
  window.addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    closed = [];
    for (const [head, button] of headings) {
      button.append(...head.childNodes);
      head.append(button);
    }
  });
})();
