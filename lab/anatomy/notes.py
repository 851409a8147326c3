"""One sentence for each kind of field: what it means, where it is defined, and why it is there.

They stand in `pages/i18n/note.<language>.json`, under `note.<kind>`.
"""

from lab.languages import ENGLISH, own

NOTES = {key.removeprefix("note."): text for key, text in own(ENGLISH).items() if key.startswith("note.")}
"""The English sentences by the kind of the field."""
