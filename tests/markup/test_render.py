"""What people write and what they then see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forllm_server.markup.highlight import LANGUAGES, Budget, find_lexer, highlight
from forllm_server.markup.render import RENDER_VERSION, render
from tests.markup.page_checks import dangers, shown_words


def page(source: str) -> str:
    rendered = render(source, anchor_prefix="post-12")
    assert not rendered.is_source_shown, rendered.reason
    assert rendered.reason is None
    return rendered.html


def test_the_version_is_a_number_to_compare() -> None:
    assert isinstance(RENDER_VERSION, int)


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("a **b** *c* ~~d~~ `e`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code></p>\n"),
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("# Title", "<h3>Title</h3>\n"),
        ("###### Deep", "<h3>Deep</h3>\n"),
        ("## a\n### b\n##### c\n# d", "<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h3>d</h3>\n"),
        ("# 1\n## 2\n### 3\n#### 4\n##### 5", "<h3>1</h3>\n<h4>2</h4>\n<h5>3</h5>\n<h6>4</h6>\n<h6>5</h6>\n"),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>\n"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>\n'),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        (
            "ask @critic_2 and @name please",
            '<p>ask <span class="mention">@critic_2</span> and <span class="mention">@name</span> please</p>\n',
        ),
        ("It costs $5 to $10", "<p>It costs $5 to $10</p>\n"),
        ("---", "<hr>\n"),
        ("me@a.example", '<p><a href="mailto:me@a.example">me@a.example</a></p>\n'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("", ""),
    ],
)
def test_markdown_becomes_this_html(source: str, html: str) -> None:
    assert page(source) == html


def test_a_bare_address_becomes_an_external_link() -> None:
    assert page("see https://a.example/x.") == (
        '<p>see <a href="https://a.example/x" class="link--external" rel="noopener noreferrer nofollow ugc"'
        ' data-host="a.example">https://a.example/x</a>.</p>\n'
    )


def test_a_table_aligns_by_class_and_scrolls_in_its_own_box() -> None:
    html = page("|a|b|c|\n|:-|:-:|-:|\n|1|2|3|")
    assert html.startswith('<div class="table-scroll" tabindex="0"><table>')
    for name in ("align-left", "align-center", "align-right"):
        assert html.count(f'class="{name}"') == 2
    assert "style" not in html


def test_cells_beyond_the_header_stay_in_the_last_column() -> None:
    assert "<td>2 | 3 | <code>x</code></td>" in page("a|b\n-|-\n1|2|3|`x`")


def test_a_task_list_shows_its_boxes_without_form_fields() -> None:
    html = page("- [x] done\n- [ ] open\n- plain")
    assert html.count('class="task-list-item"') == 2
    assert html.count('class="task-list"') == 1
    assert '<span class="task-box" role="img" aria-label="done">☑</span> done' in html
    assert '<span class="task-box" role="img" aria-label="not done">☐</span> open' in html
    assert "input" not in html


def test_only_the_list_with_boxes_is_a_task_list() -> None:
    html = page("- plain\n  - [x] inner\n- plain")
    assert html.startswith('<ul>\n<li>plain\n<ul class="task-list">')


def test_footnotes_carry_the_prefix_of_their_post() -> None:
    html = page("x[^a] y[^a]\n\n[^a]: note")
    for anchor in ('id="fn-post-12-1"', 'id="fnref-post-12-1"', 'href="#fn-post-12-1"', 'id="fnref-post-12-1:1"'):
        assert anchor in html


def test_a_footnote_nobody_refers_to_is_shown() -> None:
    html = page("x[^a]\n\n[^a]: one\n\n[^b]: two")
    assert "two" in html
    assert html.count("footnote-backref") == 1


def test_definitions_nobody_uses_are_shown_and_used_ones_are_not() -> None:
    html = page("see [it][a]\n\n[a]: https://a.example\n[1]: Smith\n[2]: https://b.example 'Two'\n[a]: /again twice")
    assert ">it</a>" in html
    assert "Smith" in html
    assert "https://b.example" in html
    assert "again" in html


@pytest.mark.parametrize("source", ["$x^2$", r"\(x^2\)", "$$x^2$$", r"\[x^2\]", "$$\nx^2\n$$"])
def test_formulas_are_native_mathml_and_keep_their_tex(source: str) -> None:
    html = page(source)
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in html
    assert '<annotation encoding="application/x-tex">x^2</annotation>' in html
    assert ('display="block"' in html) == (source[1] in "$[")


@pytest.mark.parametrize("tex", [r"\frac", r"{", r"\left(", r"\begin{matrix}", "x_a_b", "{" * 500])
def test_a_formula_that_cannot_be_read_is_shown_as_code(tex: str) -> None:
    assert f'<code class="math-source">{tex}</code>' in page(f"${tex}$")


def test_a_code_block_names_its_language_and_is_coloured() -> None:
    html = page('```python title=x.py\nprint("hi")\n```')
    assert '<pre class="highlight" tabindex="0" data-language="python" data-info="title=x.py"><code>' in html
    assert '<span class="nb">print</span>' in html


def test_a_language_that_is_not_listed_is_not_guessed() -> None:
    assert "<span" not in page("```brainfuck\nimport this\n```")
    assert "<span" not in page("```\nimport this\n```")


def test_at_most_forty_lexers_are_listed_and_each_exists() -> None:
    assert len(set(LANGUAGES.values())) <= 40
    assert all(find_lexer(word) is not None for word in LANGUAGES)


def test_code_comes_out_as_it_went_in() -> None:
    code = "\n\n  a = 1\n\tb\n\n"
    for word in set(LANGUAGES.values()):
        coloured = highlight(code, next(k for k, v in LANGUAGES.items() if v == word), Budget(5.0, 10_000))
        assert shown_words(f"<pre>{coloured}</pre>") == {"a", "1", "b"}


def test_a_block_that_is_too_long_is_plain() -> None:
    assert highlight("x = 1\n" * 4000, "python", Budget(5.0, 10**6)) == "x = 1\n" * 4000


def test_a_prefix_that_could_leave_its_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="anchor prefix"):
        render("x", anchor_prefix='a"b')


@pytest.mark.parametrize(
    "source",
    [
        ">" * 25 + " all of it",
        "".join("  " * depth + "- item\n" for depth in range(30)),
        "http://" + "a" * 300 + ".example/ end",
        "[x](http://" + "b" * 300 + ".example/) end",
        "a|b\n-|-\n1|2|3",
        "[1]: gone",
        "[a]: /b\n[a]: /lost",
        "[^a]: x\n[^a]: y",
        "1. a\n7. b\n9. c",
        "&copy; &notanentity; a&amp;b",
        "foo\\_bar*baz*qux __init__",
        "```x y z\ncode\n```",
        "\x00 \ud800 \x0b \x1f \u2028 end",
        "[x]: /u\n\n- [x] task",
        "<!-- hidden --> <?php hidden ?>",
    ],
)
def test_every_word_of_the_source_is_on_the_page(source: str) -> None:
    html = render(source, anchor_prefix="p").html
    expected = {"all", "item", "end", "gone", "lost", "y", "code", "task", "hidden", "3", "qux"}
    assert {word for word in expected if word in source.split()} <= shown_words(html)


def test_what_is_nested_too_deeply_is_shown_as_source_with_a_reason() -> None:
    rendered = render(">" * 25 + " <deep>", anchor_prefix="p")
    assert rendered.is_source_shown
    assert rendered.html == '<pre class="source" tabindex="0">\n' + "&gt;" * 25 + " &lt;deep&gt;</pre>"
    assert rendered.reason == (
        "This text is shown as it was written, because its quotes or lists are nested too deeply."
    )


_MARKS = (
    "* _ ` ~~ [ ] ( ) ![ ](/u) [^1] [^1]: ^[ > - + 1. # | |-|-| $ $$ \\( \\) \\[ \\] \\ < > & &amp; &copy; : :// "
    "http://a.b www.a.b me@a.b [x] [r]: ``` ```py ~~~ \n \n\n \t @ name word 12 é ß İ 中文 👩‍💻 \u0301 \u200b \u202e "
    "\x00 { } % ' \" ="
)
_PIECES = st.sampled_from(_MARKS.split(" "))
_MARKDOWN = st.lists(_PIECES, max_size=40).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda gap: gap.join(pieces))
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(_MARKDOWN, st.text(max_size=200)))
def test_any_text_renders_safely(source: str) -> None:
    assert dangers(render(source, anchor_prefix="p").html) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("abcdefgxyz019éß", min_size=4, max_size=8), max_size=8),
    st.lists(_PIECES, max_size=30),
    st.randoms(),
)
def test_every_word_of_any_text_is_on_its_page(words: list[str], pieces: list[str], random: object) -> None:
    marked = [f"qq{word}qq" for word in words]
    mixed = [*marked, *(piece for piece in pieces if "&" not in piece)]
    random.shuffle(mixed)
    source = " ".join(mixed)
    rendered = render(source, anchor_prefix="p")
    # Labels of references and footnotes are the one thing that a page replaces: by the link, and by a number.
    if "]" not in source:
        assert {word.casefold() for word in marked} <= shown_words(rendered.html)


@settings(max_examples=150, deadline=None)
@given(st.text(r"\{}^_&$ abfrctexmhspligndoubk0123456789()[]-+=<>%#\n", max_size=60))
def test_any_formula_renders_safely(tex: str) -> None:
    assert dangers(render(f"$${tex}$$ \\({tex}\\)", anchor_prefix="p").html) == []
