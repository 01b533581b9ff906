#!/usr/bin/env python3
"""Writes the seeds of formats that others define, with their own tools.

Needs openssl, coreutils, and from PyPI: safetensors 0.8.0, gguf 0.19.0, numpy. The seeds of signed models are the
test vectors of vram-provenance, which the package model-signing wrote; those of the library's own formats come from
`cargo run --example seeds`.
"""

import base64
import json
import pathlib
import subprocess
import tempfile

import gguf
import numpy
from safetensors.numpy import save

HERE = pathlib.Path(__file__).parent
SEEDS = HERE / "seeds"
VECTORS = HERE.parent / "crates/vram-provenance/tests/vectors"


def put(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def safetensors():
    kinds = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
    one = {"weight": numpy.arange(12, dtype="float32").reshape(3, 4)}
    put("safetensors", "one", save(one))
    put("safetensors", "with-metadata", save(one, metadata={"format": "pt", "name": "é"}))
    put("safetensors", "every-type", save({kind: numpy.ones((2, 3), dtype=kind) for kind in kinds}))
    put("safetensors", "empty-tensor", save({"none": numpy.zeros((0, 4), dtype="float32")}))
    put("safetensors", "scalar", save({"scalar": numpy.array(1.5, dtype="float64")}))


def written(fill):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def ggufs():
    def plain(writer):
        writer.add_tensor("weight", numpy.ones((4, 8), dtype="float32"))

    def described(writer):
        writer.add_name("a small model")
        writer.add_context_length(2048)
        writer.add_tokenizer_model("llama")
        writer.add_token_list(["<s>", "</s>", "a", "é"])
        writer.add_token_scores([0.0, -1.0, -2.5, 3.0])
        writer.add_array("nested", [1, 2, 3])
        writer.add_bool("flag", True)
        writer.add_float64("double", 0.25)
        writer.add_tensor("half", numpy.ones((2, 2), dtype="float16"))
        writer.add_tensor("bytes", numpy.ones(33, dtype="int8"))

    def quantized(writer):
        values = numpy.linspace(-1, 1, 64, dtype="float32").reshape(2, 32)
        for kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0):
            packed = gguf.quants.quantize(values, kind)
            writer.add_tensor(kind.name, packed, raw_dtype=kind)

    put("gguf", "plain", written(plain))
    put("gguf", "described", written(described))
    put("gguf", "quantized", written(quantized))


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout


def keys():
    curves = {"p256": "P-256", "p384": "P-384", "p521": "P-521"}
    kinds = {name: ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"] for name, curve in curves.items()}
    kinds["openssl-ed25519"] = ["-algorithm", "ED25519"]
    kinds["rsa"] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]
    for name, how in kinds.items():
        # Of private keys only the public half is kept: a committed one, even nobody's, sets off every scanner.
        private = openssl("genpkey", *how)
        put("keys", f"{name}.pub", openssl("pkey", "-pubout", stdin=private))
        put("keys", f"{name}.spki", openssl("pkey", "-pubout", "-outform", "DER", stdin=private))
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    point = openssl("ec", "-pubout", "-conv_form", "compressed", stdin=private)
    put("keys", "p256-compressed.pub", point)
    # Points of small order, canonical and not (table 5 of Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs").
    p = 2**255 - 19
    eights = ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"]
    eights.append("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    eight, other = (int.from_bytes(bytes.fromhex(y), "little") for y in eights)
    points = {"zero": 0, "one": 1, "minus-one": p - 1, "p": p, "p-plus-one": p + 1, "eight": eight, "eight-other": other}
    for name, y in points.items():
        for sign, suffix in enumerate(["", "-negative"]):
            encoding = (y | sign << 255).to_bytes(32, "little")
            put("keys", f"small-order-{name}{suffix}.spki", bytes.fromhex("302a300506032b6570032100") + encoding)


def provenance():
    for path in sorted(VECTORS.iterdir()):
        content = path.read_bytes()
        if path.suffix == ".sig":
            put("bundle", path.name, content)
            envelope = json.loads(content)["dsseEnvelope"]
            put("manifest", path.stem, base64.b64decode(envelope["payload"]))
            put("envelope", path.stem, json.dumps(envelope).encode())
        elif path.suffix == ".pem":
            put("certificates", path.name, content)
    both = (VECTORS / "root.pem").read_bytes() + (VECTORS / "intermediate.pem").read_bytes()
    put("certificates", "two.pem", both)


def checksums():
    with tempfile.TemporaryDirectory() as folder:
        names = ["model.safetensors", "with space.gguf", "with\nline.bin", "back\\slash.bin"]
        for name in names:
            (pathlib.Path(folder) / name).write_bytes(name.encode())
        for how, options in {"text": [], "binary": ["--binary"], "tagged": ["--tag"]}.items():
            done = subprocess.run(["sha256sum", *options, *names], cwd=folder, capture_output=True, check=True)
            put("checksums", how, done.stdout)


safetensors()
ggufs()
keys()
provenance()
checksums()
