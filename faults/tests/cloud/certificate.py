"""Writes tls.pem and tls.key into a folder: a certificate of 127.0.0.1 for an hour, signed by itself."""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = pathlib.Path(sys.argv[1])
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a cloud of a test")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(minutes=5))
    .not_valid_after(now + datetime.timedelta(hours=1))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    .sign(key, hashes.SHA256())
)
(folder / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
plain = serialization.NoEncryption()
form = serialization.PrivateFormat.PKCS8
(folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
