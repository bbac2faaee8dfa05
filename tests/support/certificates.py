"""A certificate for 127.0.0.1 that signs itself, and a bundle of authorities as large as a system's that has it."""

import pathlib
import subprocess

SYSTEM_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def make(folder, name="server"):
    """(file, file of its key)."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


def bundle(folder, certificate):
    path = folder / "bundle.pem"
    path.write_bytes(SYSTEM_BUNDLE.read_bytes() + certificate[0].read_bytes())
    return str(path)
