"""What can be read in a figure."""


def texts(figure):
    """Every word in a figure."""
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
