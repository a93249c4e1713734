from unittest.mock import mock_open, patch

from app import settings


@patch("builtins.open", mock_open(read_data='{"debug": true}'))
@patch("os.path.exists", return_value=True)
def test_load(exists):
    assert settings.load("app.json") == {"debug": True}


@patch("os.path.exists")
def test_load_nothing(mock_exists):
    mock_exists.return_value = False
    assert settings.load("app.json") == {}


@patch("pathlib.Path.read_text", return_value="Hello\n")
def test_motd(read_text):
    assert settings.read_motd("motd.txt") == "Hello"


def test_save():
    opened = mock_open()
    with patch("builtins.open", opened):
        settings.save("out.txt", "text")
    opened.assert_called_once_with("out.txt", "w")
    opened().write.assert_called_once_with("text")


def test_is_installed():
    with patch("app.settings.os.path.exists", return_value=True):
        assert settings.is_installed()
