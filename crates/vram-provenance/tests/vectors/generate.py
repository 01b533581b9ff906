"""Writes the vectors of this folder: bundles that the package model-signing makes, and what they verify with.

Run it in an empty folder, with Python that has model-signing and pyopenssl. Keys are made anew each time: every file
changes.
"""

import datetime
import json
import pathlib

import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = pathlib.Path("model")
FILES = {
    "model.safetensors": b"weights of this model",
    "config.json": b"{}",
    "empty": b"",
    "sub/folder/notes.txt": b"notes",
}
PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)
BEGIN = datetime.datetime(2020, 1, 1)
END = datetime.datetime(2120, 1, 1)


def write_model():
    for name, content in FILES.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_private(name, key):
    pathlib.Path(name).write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def write_public(name, key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pathlib.Path(name).write_bytes(key.public_key().public_bytes(PEM, form))


def sign_with_key(name, private, hashing=None, model=FOLDER):
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    if hashing:
        config.set_hashing_config(hashing)
    config.sign(model, name)


def certificate(subject, key, issuer, issuer_key, *extensions, begin=BEGIN, end=END):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def authority(length=None):
    return (x509.BasicConstraints(True, length), True)


def usage(*names):
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
        " encipher_only decipher_only"
    ).split()
    return (x509.KeyUsage(**{one: one in names for one in every}), True)


def purpose(oid):
    return (x509.ExtendedKeyUsage([oid]), False)


LEAF = (x509.BasicConstraints(False, None), True)
SIGNING = usage("digital_signature")
ISSUING = usage("key_cert_sign", "crl_sign")
CODE = purpose(ExtendedKeyUsageOID.CODE_SIGNING)


def write_certificate(name, *certificates):
    pathlib.Path(name).write_bytes(b"".join(one.public_bytes(PEM) for one in certificates))


def sign_with_certificate(name, key, leaf, *chain):
    write_private("leaf.key", key)
    write_certificate("leaf.pem", leaf)
    # The library wants some certificate there.
    write_certificate("between.pem", *(chain or [leaf]))
    config = model_signing.signing.Config().use_certificate_signer(
        private_key="leaf.key",
        signing_certificate="leaf.pem",
        certificate_chain=["between.pem"],
    )
    config.sign(FOLDER, name)


def keys():
    files = model_signing.hashing.Config
    for name, curve in [("p256", ec.SECP256R1()), ("p384", ec.SECP384R1()), ("p521", ec.SECP521R1())]:
        key = ec.generate_private_key(curve)
        write_private(f"{name}.key", key)
        write_public(f"{name}.pub", key)
        sign_with_key(f"{name}.sig", f"{name}.key")
    write_public("other.pub", ec.generate_private_key(ec.SECP256R1()))
    write_public("rsa.pub", rsa.generate_private_key(65537, 2048))
    sign_with_key("shards.sig", "p256.key", files().use_shard_serialization(shard_size=8))
    sign_with_key("single.sig", "p256.key", model=FOLDER / "model.safetensors")
    sign_with_key("blake2.sig", "p256.key", files().use_file_serialization(hashing_algorithm="blake2"))
    sign_with_key("blake3.sig", "p256.key", files().use_file_serialization(hashing_algorithm="blake3"))
    sign_with_key("links.sig", "p256.key", files().set_allow_symlinks(True))
    ignoring = files().set_ignored_paths(paths=["sub", "config.json"])
    sign_with_key("ignoring.sig", "p256.key", ignoring)


def certificates():
    root_key = ec.generate_private_key(ec.SECP384R1())
    root = certificate("Root", root_key, "Root", root_key, authority(), ISSUING)
    other_key = ec.generate_private_key(ec.SECP256R1())
    # The same name as the good root.
    other = certificate("Root", other_key, "Root", other_key, authority(), ISSUING)
    rsa_key = rsa.generate_private_key(65537, 2048)
    between = certificate("Between", rsa_key, "Root", root_key, authority(0), ISSUING)
    write_certificate("root.pem", root)
    write_certificate("other-root.pem", other)
    write_certificate("intermediate.pem", between)

    key = ec.generate_private_key(ec.SECP256R1())
    good = certificate("Signer", key, "Between", rsa_key, LEAF, SIGNING, CODE)
    sign_with_certificate("chain.sig", key, good, between)
    sign_with_certificate("chain-alone.sig", key, good)

    def variant(name, *extensions, **dates):
        leaf = certificate("Signer", key, "Between", rsa_key, *extensions, **dates)
        sign_with_certificate(f"chain-{name}.sig", key, leaf, between)

    variant("expired", LEAF, SIGNING, begin=BEGIN, end=BEGIN + 30 * DAY)
    variant("future", LEAF, SIGNING, begin=END - 30 * DAY)
    variant("no-usage", LEAF)
    variant("wrong-usage", LEAF, usage("key_agreement"))
    variant("code-only", LEAF, CODE)
    variant("server", LEAF, SIGNING, purpose(ExtendedKeyUsageOID.SERVER_AUTH))
    variant("authority", authority(), SIGNING)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    variant("critical", LEAF, SIGNING, (unknown, True))

    # Issued by what may not issue: a signer, an authority that may not sign certificates, one below its path length.
    below = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("Below", below, "Signer", key, LEAF, SIGNING)
    sign_with_certificate("chain-by-signer.sig", below, leaf, good, between)
    mute_key = ec.generate_private_key(ec.SECP256R1())
    mute = certificate("Mute", mute_key, "Root", root_key, authority(), usage("crl_sign"))
    leaf = certificate("Below", below, "Mute", mute_key, LEAF, SIGNING)
    sign_with_certificate("chain-by-mute.sig", below, leaf, mute)
    deep_key = ec.generate_private_key(ec.SECP256R1())
    deep = certificate("Deep", deep_key, "Between", rsa_key, authority(), ISSUING)
    leaf = certificate("Below", below, "Deep", deep_key, LEAF, SIGNING)
    sign_with_certificate("chain-too-long.sig", below, leaf, deep, between)

    # A root that has expired, one that is no authority, a signer that is trusted by itself.
    old_key = ec.generate_private_key(ec.SECP256R1())
    old = certificate("Old", old_key, "Old", old_key, authority(), ISSUING, end=BEGIN + 30 * DAY)
    leaf = certificate("Signer", key, "Old", old_key, LEAF, SIGNING, begin=BEGIN + 10 * DAY)
    write_certificate("old-root.pem", old)
    sign_with_certificate("chain-old-root.sig", key, leaf)
    flat_key = ec.generate_private_key(ec.SECP256R1())
    flat = certificate("Flat", flat_key, "Flat", flat_key, LEAF, SIGNING)
    leaf = certificate("Signer", key, "Flat", flat_key, LEAF, SIGNING)
    write_certificate("flat-root.pem", flat)
    sign_with_certificate("chain-flat-root.sig", key, leaf)
    sign_with_certificate("self-signed.sig", flat_key, flat)
    big_key = ec.generate_private_key(ec.SECP521R1())
    leaf = certificate("Signer", big_key, "Between", rsa_key, LEAF, SIGNING)
    sign_with_certificate("chain-p521.sig", big_key, leaf, between)


def keyless():
    """The form of a keyless bundle: a signature of ours, with the one certificate that an identity service issues."""
    bundle = json.loads(pathlib.Path("chain.sig").read_text())
    material = bundle["verificationMaterial"]
    material["certificate"] = material.pop("x509CertificateChain")["certificates"][0]
    pathlib.Path("keyless.sig").write_text(json.dumps(bundle))


def main():
    write_model()
    keys()
    certificates()
    keyless()
    for name in ["p256.key", "p384.key", "p521.key", "leaf.key", "leaf.pem", "between.pem"]:
        pathlib.Path(name).unlink()
    for name in sorted(FOLDER.rglob("*"), reverse=True):
        name.rmdir() if name.is_dir() else name.unlink()
    FOLDER.rmdir()


main()
