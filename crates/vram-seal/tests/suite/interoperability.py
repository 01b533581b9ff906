"""Verifies and signs DSSE envelopes with securesystemslib, and reads statements with in-toto-attestation."""

import json
import sys

import in_toto_attestation.v1.statement_pb2 as statement_pb2
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def verified_payload(document: bytes, key: SSlibKey) -> bytes:
    envelope = Envelope.from_dict(json.loads(document))
    envelope.verify([key], 1)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(envelope.payload_type)
    return envelope.payload


def verify(key_id: str) -> None:
    with open("key.pub", "rb") as file:
        key = SSlibKey.from_crypto(load_pem_public_key(file.read()), keyid=key_id)
    with open("envelope.json", "rb") as file:
        document = file.read()
    payload = verified_payload(document, key)

    message = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    for subject in message.subject:
        for algorithm, value in sorted(subject.digest.items()):
            print("subject", subject.name, algorithm, value)
    print("predicate challenge", message.predicate["challenge"])

    # Bits that base64 decoding drops can change here without any byte of payload or signature changing; such a
    # document is the same envelope. (The crate refuses it.)
    original = Envelope.from_dict(json.loads(document))
    for at in range(len(document)):
        changed = bytearray(document)
        changed[at] ^= 1
        try:
            verified_payload(bytes(changed), key)
        except Exception:  # whatever it is refused with
            continue
        if Envelope.from_dict(json.loads(changed)) != original:
            sys.exit(f"a change of byte {at} was accepted")
    print("refused", len(document), "changes")


def sign(_algorithm: str) -> None:
    with open("key.pem", "rb") as file:
        private = load_pem_private_key(file.read(), None)
    with open("payload", "rb") as file:
        envelope = Envelope(file.read(), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(private))
    with open("envelope.json", "w", encoding="utf-8") as file:
        json.dump(envelope.to_dict(), file, indent=1)
    with open("key.pub", "wb") as file:
        file.write(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )


{"verify": verify, "sign": sign}[sys.argv[1]](sys.argv[2])
