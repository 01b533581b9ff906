#!/usr/bin/env python3
"""Checks weights in GPU memory the way inference engines do, and says how fast that is.

Tensor by tensor: the bytes are copied to pageable host memory and hashed there with hashlib, on one core.
It follows

- vLLM's weight checker (vllm-project/vllm, pull request 51350, gpu_worker.py): for each tensor
  contiguous, cpu, viewed as uint8, numpy, tobytes, then sha256;
- SGLang's weight checksum (sgl-project/sglang, pull requests 17009 and 18913, utils/weight_checksum.py):
  the same steps, but for the copy that tobytes makes.

SGLang's form is the faster one, so it is the one timed; --copy times vLLM's.

Needs torch with CUDA. Prints one JSON document; ends with 3 where there is no torch or no GPU.
"""

import argparse
import hashlib
import json
import statistics
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=1 << 30, help="weights in all")
    parser.add_argument("--tensor-bytes", type=int, default=64 << 20, help="weights in each tensor")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--device", type=int, default=0, help="the CUDA device's index")
    parser.add_argument("--copy", action="store_true", help="copy the bytes once more, as vLLM does")
    return parser.parse_args()


def checksum(tensor, torch, copy):
    raw = tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(raw.tobytes() if copy else raw.data).hexdigest()


def main():
    options = arguments()
    try:
        import numpy  # noqa: F401  (what a tensor's numpy() needs)
        import torch
    except ImportError as error:
        print(f"no torch: {error}", file=sys.stderr)
        return 3
    if not torch.cuda.is_available():
        print("torch sees no CUDA device", file=sys.stderr)
        return 3

    device = torch.device("cuda", options.device)
    count = max(1, options.bytes // options.tensor_bytes)
    length = max(2, options.tensor_bytes // 2 * 2)
    tensors = {
        f"layers.{index}.weight": torch.randint(
            0, 256, (length,), dtype=torch.uint8, device=device
        ).view(torch.bfloat16)
        for index in range(count)
    }
    total = count * length
    torch.cuda.synchronize(device)

    samples = []
    digests = set()
    for _ in range(max(1, options.repetitions)):
        started = time.perf_counter()
        found = {name: checksum(tensor, torch, options.copy) for name, tensor in sorted(tensors.items())}
        samples.append(total / (time.perf_counter() - started) / 1e9)
        digests.add(json.dumps(found, sort_keys=True))
    if len(digests) != 1:
        print("the checksums differ from one repetition to the next", file=sys.stderr)
        return 1

    json.dump(
        {
            "id": "engine-python",
            "title": "torch and hashlib, tensor by tensor",
            "value": statistics.median(samples),
            "unit": "GB/s",
            "samples": samples,
            "bytes": total,
            "tensor_bytes": length,
            "torch": torch.__version__,
            "python": sys.version.split()[0],
            "device": torch.cuda.get_device_name(device),
        },
        sys.stdout,
    )
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
