"""Keys, certificates and signatures for the tests of signed models, by the package model-signing.

    signed.py key CURVE NAME               NAME.key and NAME.pub
    signed.py certificates FOLDER          an authority, and signers that it certified
    signed.py shards MODEL SIGNATURE KEY SIZE
                                           signs file shards, which the package's own command can't
"""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


def write_key(name, curve=ec.SECP256R1()):
    key = ec.generate_private_key(curve)
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pathlib.Path(f"{name}.key").write_bytes(private)
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    pathlib.Path(f"{name}.pub").write_bytes(public)
    return key


def certify(path, subject, key, issuer, issuer_key, authority, start, end):
    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(usage, True)
        .sign(issuer_key, hashes.SHA256())
    )
    pathlib.Path(path).write_bytes(certificate.public_bytes(PEM))


def certificates(folder):
    folder = pathlib.Path(folder)
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    root, other, signer = (write_key(folder / name) for name in ("root", "other-root", "signer"))
    long_ago, far = now - 400 * day, now + 400 * day
    certify(folder / "root.pem", "Root", root, "Root", root, True, long_ago, far)
    certify(folder / "other-root.pem", "Root", other, "Root", other, True, long_ago, far)
    certify(folder / "signer.pem", "Signer", signer, "Root", root, False, now - day, far)
    certify(folder / "expired.pem", "Signer", signer, "Root", root, False, long_ago, now - day)


def shards(model, signature, key, size):
    import model_signing

    hashing = model_signing.hashing.Config().use_shard_serialization(shard_size=int(size))
    # As the package's own command does, where the signature lies in the model.
    hashing.set_ignored_paths(paths=[pathlib.Path(signature).name])
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(hashing).sign(model, signature)


match sys.argv[1:]:
    case ["key", curve, name]:
        write_key(name, {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[curve])
    case ["certificates", folder]:
        certificates(folder)
    case ["shards", model, signature, key, size]:
        shards(model, signature, key, size)
    case other:
        sys.exit(f"unknown arguments: {other}")
