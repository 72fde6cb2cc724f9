"""The text of an HTML page, as Markdown: what a person would see, and where its links lead."""

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

Attrs = list[tuple[str, str | None]]

VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"),
    *("track", "wbr"),
}
UNSEEN = {
    *("script", "style", "template", "svg", "noscript", "iframe", "object", "head", "select"),
    *("canvas", "audio", "video", "math", "dialog"),
}
IN_HEAD = {"base", "link", "meta", "noscript", "script", "style", "template", "title"}
AROUND = {"nav", "footer", "aside"}  # of a page, beside what it is about
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
    *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3"),
    *("h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section"),
    *("summary", "table", "tbody", "tfoot", "thead", "tr", "ul"),
}
NOT_P = BLOCKS - {"p"}
# What an element ends that was not closed: the first of these that is open, unless one of the
# others is open inside it.
CLOSES = {
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr"}, {"table"}),
    "td": ({"td", "th"}, {"table", "tr"}),
    "th": ({"td", "th"}, {"table", "tr"}),
    "option": ({"option"}, {"select"}),
}
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
MARK = re.compile(" ?#{1,6} | ")  # what stands before a link's own text
COMMENT_END = re.compile(r"-->|(?<!<!)--!>")
MOST_DEPTH = 500
MAIN_CHARS = 200  # what says that it is the main part and is shorter, is not all of it
MOST_INDENT = 10
MOST_CHARS = 5_000_000
TITLE_CHARS = 1000
URL_CHARS = 4000


class FullError(Exception):
    """There is more text than is taken: a short page can make each link of it long."""


def markdown_of(html: str, url: str) -> tuple[str, str, bool]:
    """Return the title of a page, its text, and whether there is more of it.

    url: where it is, for links in it.
    """
    page, full = Page(url), False
    try:
        page.feed(html)
        page.close()
    except FullError:
        full = True
    page.end_block()
    return re.sub(r"\s+", " ", page.title).strip(), page.text(), full


class Page(HTMLParser):
    """Collects blocks of text.

    main: those that are what the page is about, where it says so. blocks: those that are not
    around it. every: all.
    """

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url, self.title = url, ""
        self.open: list[str] = []
        self.inside = Counter[str]()  # how many of each are open
        self.unseen = 0  # as deep as this nothing is seen, 0 for all is
        self.blocks: list[str] = []
        self.main: list[str] = []
        self.every: list[str] = []
        self.size = 0  # of all text so far
        self.parts: list[str] = []  # of the block that is being read
        self.lists: list[int | None] = []  # the number of the next item, None where there is none
        self.item = ""  # what stands before the next block of an item
        self.links: list[tuple[str, int]] = []
        self.cells: list[str] | None = None

    def text(self) -> str:
        blocks = self.main if sum(map(len, self.main)) > MAIN_CHARS else self.blocks
        blocks = self.main if sum(map(len, self.main)) > 200 else self.blocks or self.every
        return re.sub(r"\n{3,}", "\n\n", "\n".join(blocks)).strip("\n")

    def parse_html_declaration(self, i: int) -> int:
        """Return where what begins with `<!` or `<?` ends; the parser fails at `<![x[`."""
        end = self.rawdata.find(">", i)
        return end + 1 if end >= 0 else len(self.rawdata)

    parse_pi = parse_html_declaration

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Return where a comment ends; the parser takes long over many that never do."""
        found = COMMENT_END.search(self.rawdata, i + 2)
        return found.end() if found else len(self.rawdata)

    def handle_starttag(self, tag: str, attrs: Attrs) -> None:
        if tag not in IN_HEAD:
            self.end_head()
        if tag in CLOSES:
            self.close_open(*CLOSES[tag])
        elif tag in BLOCKS:
            self.close_open({"p"}, NOT_P)
        about = dict(attrs)
        if tag == "base" and about.get("href"):
            self.url = joined(self.url, about["href"] or "")
        if tag not in VOID:
            if len(self.open) >= MOST_DEPTH:
                return
            self.open.append(tag)
            self.inside[tag] += 1
        if self.unseen:
            return
        is_open = tag == "dialog" and "open" in about
        if (tag in UNSEEN and not is_open) or is_hidden(about):
            if tag not in VOID:
                self.unseen = len(self.open)
            return
        if tag in BLOCKS:
            self.end_block()
        if starts := STARTS.get(tag):
            starts(self, about)

    def handle_endtag(self, tag: str) -> None:
        if not self.inside[tag]:
            return
        while self.open:
            last = self.open[-1]
            self.end(last)
            if last == tag:
                return

    def end(self, tag: str) -> None:
        """Close the innermost element."""
        if not self.unseen:
            if ends := ENDS.get(tag):
                ends(self)
            if tag in BLOCKS:
                self.end_block()
        elif len(self.open) == self.unseen:
            self.unseen = 0
        self.open.pop()
        self.inside[tag] -= 1

    def end_head(self) -> None:
        """Close the head at what cannot stand in it; its end need not be written."""
        if self.open[-1:] == ["head"]:
            self.end("head")

    def close_open(self, tags: set[str], inside: set[str]) -> None:
        if not any(self.inside[tag] for tag in tags):
            return
        for depth in range(len(self.open) - 1, -1, -1):
            if self.open[depth] in tags:
                while len(self.open) > depth:
                    self.end(self.open[-1])
                return
            if self.open[depth] in inside:
                return

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.end_head()
        if self.open[-1:] == ["title"] and not self.inside["svg"]:
            self.title = (self.title + data)[:TITLE_CHARS]
        elif not self.unseen:
            self.add(data if self.inside["pre"] else self.fitted(data))

    def add(self, text: str) -> None:
        """Add a text to the block that is being read. Raises FullError."""
        if text:
            self.parts.append(text)
            self.size += len(text)
        if self.size > MOST_CHARS:
            raise FullError

    def fitted(self, data: str) -> str:
        text = re.sub(r"[ \t\r\n\f]+", " ", data)
        return text.lstrip(" ") if not self.parts or self.parts[-1][-1] in " \n" else text

    def end_block(self) -> None:
        """Put what was collected where it belongs, as a block of its own."""
        links = self.links[-1:]
        while self.links:
            self.end_link()
        self.links = [(url, 0) for url, _ in links]  # one that goes on is that of each block in it
        line = "".join(self.parts)
        self.parts.clear()
        if not self.inside["pre"]:
            line = "\n".join(part.strip(" ") for part in line.split("\n")).strip("\n")
        if self.cells is not None:
            if line and self.cells:
                self.cells[-1] = f"{self.cells[-1]} {line}".strip().replace("\n", " ")
            return
        if not line.strip():
            return
        indent = "  " * min(len(self.lists) - 1, MOST_INDENT)
        if self.item:
            line, self.item = self.item + line, ""
        elif self.lists:
            indent += "  "
        quote = "> " * min(self.inside["blockquote"], MOST_INDENT)
        self.put("\n".join(quote + indent + part for part in line.split("\n")))

    def put(self, block: str) -> None:
        apart = not self.lists and not {"tr", "dt"} & set(self.open[-1:])
        found = [block, ""] if apart else [block]
        self.every += found
        if not any(self.inside[tag] for tag in AROUND):
            self.blocks += found
        if self.inside["main"] or self.inside["article"]:
            self.main += found

    def start_link(self, about: dict[str, str | None]) -> None:
        self.links.append((joined(self.url, about.get("href") or ""), len(self.parts)))

    def end_link(self) -> None:
        if not self.links:
            return
        url, at = self.links.pop()
        whole = "".join(self.parts[at:])
        start = found[0] if (found := MARK.match(whole)) else ""
        text = whole[len(start) :].strip()
        if url and text and text != url:
            self.parts[at:] = [f"{start}[{text}]({url})"]
            self.size += len(url)

    def start_item(self) -> None:
        number = self.lists[-1] if self.lists else None
        self.item = "- " if number is None else f"{number}. "
        if number is not None:
            self.lists[-1] = number + 1

    def end_list(self) -> None:
        self.end_block()
        if self.lists:
            self.lists.pop()
        if not self.lists:
            self.put_gap()

    def put_gap(self) -> None:
        for blocks in (self.blocks, self.main, self.every):
            if blocks:
                blocks.append("")

    def start_table(self) -> None:
        """Begin a table; a row that holds one is there for the layout, and has no cells."""
        cells, self.cells = self.cells, None
        for cell in cells or ():
            if cell:
                self.put(cell)

    def end_row(self) -> None:
        self.end_block()
        cells, self.cells = self.cells, None
        if cells and any(cells):
            self.put(" | ".join(cell.replace("|", "\\|") for cell in cells))

    def end_pre(self) -> None:
        code = "".join(self.parts).strip("\n")
        self.parts.clear()
        if code.strip():
            fence = "````" if "```" in code else "```"
            self.put(f"{fence}\n{code}\n{fence}")


def is_hidden(about: dict[str, str | None]) -> bool:
    """Say whether a person would not see an element."""
    hidden = "hidden" in about and about["hidden"] != "until-found"
    return hidden or bool(HIDDEN.search(about.get("style") or ""))


def joined(base: str, href: str) -> str:
    """Return where a link leads, "" for one that is no page, or too long to be called."""
    try:
        url = urljoin(base, href.strip())
        fits = urlsplit(url).scheme in ("http", "https") and len(url) <= URL_CHARS
        return url if fits else ""
    except ValueError:
        return ""


def start_heading(level: int) -> Callable[[Page, dict[str, str | None]], None]:
    def start(page: Page, about: dict[str, str | None]) -> None:
        page.add("#" * level + " ")

    return start


def start_list(page: Page, about: dict[str, str | None]) -> None:
    page.lists.append(None)


def start_numbers(page: Page, about: dict[str, str | None]) -> None:
    first = about.get("start") or "1"
    page.lists.append(int(first) if re.fullmatch(r"\d{1,6}", first) else 1)


def start_row(page: Page, about: dict[str, str | None]) -> None:
    page.cells = []


def start_cell(page: Page, about: dict[str, str | None]) -> None:
    if page.cells is not None:
        page.end_block()
        page.cells.append("")


def start_image(page: Page, about: dict[str, str | None]) -> None:
    if alt := (about.get("alt") or "").strip():
        page.add(f"[image: {alt}]")


def add(text: str) -> Callable[[Page, dict[str, str | None]], None]:
    def start(page: Page, about: dict[str, str | None]) -> None:
        page.add(text)

    return start


def add_tick(page: Page, about: dict[str, str | None] | None = None) -> None:
    if not page.inside["pre"]:
        page.add("`")


def add_stars(page: Page, about: dict[str, str | None] | None = None) -> None:
    if not page.inside["pre"]:
        page.add("**")


STARTS: dict[str, Callable[[Page, dict[str, str | None]], None]] = {
    **{f"h{level}": start_heading(level) for level in range(1, 7)},
    "a": Page.start_link,
    "ul": start_list,
    "ol": start_numbers,
    "li": lambda page, about: page.start_item(),
    "table": lambda page, about: page.start_table(),
    "tr": start_row,
    "td": start_cell,
    "th": start_cell,
    "img": start_image,
    "br": add("\n"),
    "hr": add("---"),
    "code": add_tick,
    "b": add_stars,
    "strong": add_stars,
}
ENDS: dict[str, Callable[[Page], None]] = {
    "a": Page.end_link,
    "ul": Page.end_list,
    "ol": Page.end_list,
    "tr": Page.end_row,
    "td": Page.end_block,
    "th": Page.end_block,
    "pre": Page.end_pre,
    "table": Page.put_gap,
    "code": add_tick,
    "b": add_stars,
    "strong": add_stars,
}
