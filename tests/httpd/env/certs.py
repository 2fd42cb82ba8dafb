# SPDX-License-Identifier: Apache-2.0
"""certs - an authority of our own and certificates of every kind (U04)."""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Makes key and certificate files in a directory; each once."""

    def __init__(self, directory, name="Test Authority"):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self.cert = self._sign(self.name, self.key, x509.BasicConstraints(
            ca=True, path_length=None))
        self.file = self._write("ca.pem", _pem(self.cert))

    def issue(self, label, host="localhost", days=30, self_signed=False):
        """Paths of certificate and key; days < 0: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(host)]
        if host == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        cert = self._sign(_name(host), key,
                          x509.SubjectAlternativeName(names), days,
                          self_signed)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return (self._write(label + ".pem", _pem(cert)),
                self._write(label + ".key", pem))

    def _sign(self, subject, key, extension, days=30, self_signed=False):
        now = datetime.datetime.utcnow()
        own = self_signed or subject == self.name
        return x509.CertificateBuilder() \
            .subject_name(subject) \
            .issuer_name(subject if own else self.name) \
            .public_key(key.public_key()) \
            .serial_number(x509.random_serial_number()) \
            .not_valid_before(now - 60 * DAY) \
            .not_valid_after(now + days * DAY) \
            .add_extension(extension, critical=subject == self.name) \
            .sign(key if own else self.key, hashes.SHA256())

    def _write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)
