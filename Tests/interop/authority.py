"""Certificates that the `openssl` command makes, signed by an authority of the tests' own."""

import pathlib
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """An authority, what it has signed, and a stranger, as PEM files in one folder."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        for name in ("ca", "stranger"):
            openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem"),
            )  # fmt: skip

    def path(self, name) -> str:
        return str(self.folder / name)

    def issue(self, name, names, by="ca", days=2, also=()):
        """A certificate for names as in "DNS:localhost" with more extensions, and its key; with -1 days it has
        expired."""
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"),
        )  # fmt: skip
        extensions = self.folder / f"{name}.cnf"
        extensions.write_text("\n".join([f"subjectAltName={names}", "basicConstraints=CA:FALSE", *also, ""]))
        openssl(
            "x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path(f"{by}.pem"),
            "-CAkey", self.path(f"{by}.key"), "-CAcreateserial", "-days", str(days), "-extfile", str(extensions),
            "-out", self.path(f"{name}.pem"),
        )  # fmt: skip
        return self.path(f"{name}.pem"), self.path(f"{name}.key")
