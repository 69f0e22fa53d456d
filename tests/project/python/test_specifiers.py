"""Version specifiers are written in one form, by whichever way they were read."""

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from cloacina_ctl.manifest.texts import specifier_problem
from cloacina_ctl.project.config import read_config
from cloacina_ctl.project.model import ProjectLayout
from cloacina_ctl.project.python.metadata import read_metadata

CLAUSES = st.tuples(
    st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~="]),
    st.sampled_from(["", " "]),
    st.sampled_from(["3.10", "3.9.1", "4", "3.0.0", "2.7", "3.10.*", "3.12rc1", "1!3.0"]),
).map("".join)


@given(st.lists(CLAUSES, min_size=1, max_size=3).map(", ".join))
def test_a_specifier_is_written_as_the_reference_writes_it(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "demo"\nversion = "1"\nrequires-python = "{text}"\n'
    )
    try:
        expected = str(SpecifierSet(text))
    except ValueError:
        return
    config = read_config(str(folder), ProjectLayout.PYTHON)
    requires = read_metadata(str(folder), ProjectLayout.PYTHON, config).requires
    assert requires is not None
    assert requires.python == expected
    assert specifier_problem(expected) is None
