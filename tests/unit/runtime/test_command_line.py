import pytest

from runtime.command_line import CommandLineError
from runtime.process.child import parse_arguments as parse_child
from runtime.supervisor.arguments import parse_arguments


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("demo --fro 5", "there is no option --fro (did you mean --for?); run.py --help lists all arguments"),
        ("demo --fro=5", "there is no option --fro (did you mean --for?)"),
        ("engine --i-acept-real-orders", "(did you mean --i-accept-real-orders?); run.py engine --help"),
        ("demo BTCUSDT ETHUSDT", "'ETHUSDT' is one word too many"),
        ("simulator testnet", "testnet has no simulator"),
        ("demo --for", "--for: expected one argument"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_one_sentence(words: str, says: str) -> None:
    with pytest.raises(CommandLineError) as refused:
        parse_arguments(words.split())
    assert str(refused.value).startswith(says) or says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "soon"])
def test_a_run_has_a_length(wrong: str) -> None:
    with pytest.raises(CommandLineError, match=f"^--for: '{wrong}' is not a number of seconds above 0; "):
        parse_arguments(["demo", "--for", wrong])


def test_a_process_refuses_in_one_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_child("Some process.", ["demo", "--chek"], can_check=True)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("there is no option --chek (did you mean --check?)")
    assert said.count("\n") == 1
