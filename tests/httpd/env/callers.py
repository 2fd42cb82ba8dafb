# SPDX-License-Identifier: Apache-2.0
"""callers - credentials for tests: JWTs of an issuer whose secret is a file."""
import atexit
import base64
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import time

SECRET = "canary-mac-secret-91c0-0123456789abcdef"
_DIR = tempfile.mkdtemp(prefix="bl-callers-")
atexit.register(shutil.rmtree, _DIR, True)


def key_file(name, text, mode=0o600):
    path = os.path.join(_DIR, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


KEY_FILE = key_file("shop.key", SECRET + "\n")


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(sub="li", seconds=600, alg="HS256", secret=SECRET, **claims):
    claims = dict({"sub": sub, "exp": time.time() + seconds}, **claims)
    text = ".".join(_part(json.dumps(each).encode())
                    for each in ({"alg": alg, "typ": "JWT"}, claims))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return text + "." + _part(mac)


def bearer(token):
    return {"Authorization": "Bearer " + token}
