"""A TLS certificate that nobody has signed."""

import ssl
import subprocess
from pathlib import Path


def make_certificate(folder: Path, *dates: str, name: str = "IP:127.0.0.1") -> ssl.SSLContext:
    """Return the context of a server that signs for itself, in cert.pem.

    dates: not before, not after. name: what it stands for.
    """
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", f"subjectAltName={name}"),
        ],
        check=True,
        capture_output=True,
    )
    if dates:
        csr = folder / "csr.pem"
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder}/index.txt\nserial={folder}/serial\n"
            f"new_certs_dir={folder}\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n"
            "[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:127.0.0.1\n"
        )
        (folder / "serial").write_text("01")
        for words in (
            ("req", "-new", "-key", str(key), "-out", str(csr), "-subj", "/CN=localhost"),
            (
                *("ca", "-batch", "-selfsign", "-config", str(folder / "ca.cnf"), "-notext"),
                *("-in", str(csr), "-keyfile", str(key), "-out", str(cert)),
                *("-startdate", dates[0], "-enddate", dates[1]),
            ),
        ):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
