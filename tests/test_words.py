"""One word for one thing: no name and no text of the lab uses a word that its glossary has replaced."""

import ast
import json
import re

import pytest

from tests.support.lab_process import ROOT

NAMES = {
    *("asker", "beforehand", "crew_door", "crowd", "dismiss", "doors", "ear", "foretell", "foretold", "hear"),
    *("heard", "held_bytes", "lasting", "likewise", "middle", "pulses", "second_thoughts", "strain", "taken"),
    *("tap", "unwelcome", "watcher", "watchers", "weigh", "weightless", "word"),
}
"""Names that said what only their author understood; lab/README.md has the words in their place."""
TEXTS = re.compile(
    r"\b(whoever|nobody|somebody|newcomers?|in vain|sent home|hung up|hangs? up|looks away|anew)\b",
    re.I,
)
CHINESE = {
    "应答": "响应",
    "听众": "接收端",
    "收听": "接收",
    "下注": "猜一猜",
    "押注": "猜一猜",
    "推送技术": "推送方式",
    "首部": "头部",
    "解剖": "剖析",
    "扣留": "滞留",
    "服务器推送事件流": "事件流",
    "历史存": "历史记录存",
    "花费": "代价",
    "密钥已遮盖": "访问令牌已隐藏",
    "……": "…",
    "个连接": "条连接",
    "还活着": "仍然打开",
}
"""A word that a Chinese text does not use, and the one in its place."""
ENGLISH = {
    "hostile": "faulty",
    "blanked": "hidden",
    "bets?": "vote",
    "speaks (for|against)": "advantage, drawback",
    "by itself late": "lag",
    "way back": "reconnect",
    "fleet": "simulated clients",
    "crew": "simulated students",
    "strain(ed)?": "overloaded",
}
"""A word that an English text of a page does not use, and the one in its place."""
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!][\u4e00-\u9fff]")
"""Punctuation of half width next to a Chinese character."""
BUILT = re.compile(r"""["'`]([a-z][\w.-]*[._-])(?=\$?\{|["'] ~)""")
"""The beginning of a key to which code adds the rest: Python's `{`, a script's `${`, a template's `~`."""
ENDINGS = re.compile(r"_many$")
"""What code adds to a whole key."""
SOURCES = sorted((ROOT / "lab").rglob("*.py"))
READ = [
    *SOURCES,
    *(ROOT / "pages").rglob("*.js"),
    *(ROOT / "pages").rglob("*.css"),
    *(ROOT / "pages").rglob("*.html"),
    *(ROOT / "tests").rglob("*.py"),
    *(path for path in ROOT.rglob("*.md") if not {".venv", ".git"} & set(path.relative_to(ROOT).parts)),
    *(ROOT / "notebooks").rglob("*.ipynb"),
    ROOT / "run_lab.py",
]


def names(path):
    """Every name that a file gives to a class, a function, a parameter, an attribute or a variable."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def snake(name):
    """A name as its words: `LivePage` and `_live_page` are `live_page`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).strip("_").lower()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_name_is_a_retired_word(path):
    """A name says what the field calls the thing."""
    assert NAMES & {snake(name) for name in names(path)} == set()


@pytest.mark.parametrize("path", READ, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_has_a_retired_word(path):
    """Comments, docstrings, messages, pages and tests are in plain words; only this file quotes others."""
    if path.name == "test_words.py":
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [(number, line) for number, line in enumerate(lines, 1) if TEXTS.search(line)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "pages" / "i18n").glob("*.json")), ids=lambda path: path.name)
def test_no_page_says_a_retired_word(path):
    """What a page says is in plain words, in both languages."""
    said = json.loads(path.read_text(encoding="utf-8"))
    retired = (
        CHINESE if path.stem.endswith("zh-CN") else {rf"\b{word}\b": good for word, good in ENGLISH.items()}
    )
    words = re.compile("|".join([*retired, TEXTS.pattern]), re.I)
    assert {key: text for key, text in said.items() if words.search(text)} == {}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pages" / "i18n").glob("*zh-CN.json")), ids=lambda path: path.name
)
def test_chinese_punctuation_has_full_width(path):
    """Commas, colons, question marks and brackets next to Chinese characters are Chinese ones."""
    said = json.loads(path.read_text(encoding="utf-8"))
    assert {key: text for key, text in said.items() if HALF_WIDTH.search(text.replace("时:分:秒", ""))} == {}


def test_no_text_of_a_page_is_unused():
    """Each key is quoted in the lab or its pages, or begins as one that is built from words there."""
    files = [*SOURCES, *(ROOT / "pages").rglob("*.js"), *(ROOT / "pages").rglob("*.html")]
    source = "\n".join(path.read_text("utf-8") for path in [*files, *(ROOT / "pages").glob("*.json")])
    quoted = set(re.findall(r"""["'`]([a-z][\w.-]*)["'`]""", source))
    built = tuple(set(BUILT.findall(source)))
    words = set(re.findall(r"[a-z0-9]+", source.lower()))

    def is_used(key):
        begins = max((start for start in built if key.startswith(start)), key=len, default=None)
        rest = re.findall(r"[a-z0-9]+", key.removeprefix(begins or "").lower())
        return ENDINGS.sub("", key) in quoted or (begins is not None and words.issuperset(rest))

    keys = [
        key for path in (ROOT / "pages" / "i18n").glob("*en.json") for key in json.loads(path.read_bytes())
    ]
    assert [key for key in keys if not is_used(key)] == []


def test_the_glossary_says_each_word_once():
    """Each line of the glossary has the word in English and Chinese, and one sentence."""
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "lab" / "README.md").read_text("utf-8"), re.M
    )[1:]
    words = [word for word, _, _ in rows]
    assert len(rows) >= 40 and len(set(words)) == len(words)
    assert all(re.search(r"[\u4e00-\u9fff]", chinese) for _, chinese, _ in rows[1:])
