"""Certificates that are made for one test."""

import trustme


def certificate(folder, name, authority=None, **options):
    """The settings that show a certificate made for this test."""
    made = (authority or trustme.CA()).issue_cert("localhost", **options)
    files = {"certfile": folder / f"{name}.crt", "keyfile": folder / f"{name}.key"}
    files["keyfile"].write_bytes(made.private_key_pem.bytes())
    files["certfile"].write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    return {option: str(path) for option, path in files.items()}
