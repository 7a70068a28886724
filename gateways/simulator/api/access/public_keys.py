"""Public keys of API keys that sign with RSA or Ed25519, in place of a shared secret.

The exchange accepts both: RSA as PKCS #1 v1.5 with SHA-256; signatures are base64. The private key stays
with the client.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

_SHORTEST_RSA_BITS = 2048
_EXPECTED = "expected a public key in PEM, of Ed25519 or of RSA with 2048 bits or more"


class PublicKey:
    """A public key read from PEM text (`-----BEGIN PUBLIC KEY-----`). Raises ValueError with one sentence."""

    def __init__(self, pem: str) -> None:
        if "PRIVATE KEY" in pem:
            raise ValueError(f"a private key stays with its owner: {_EXPECTED}")
        try:
            key = load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError(_EXPECTED) from error
        self._key: Ed25519PublicKey | RSAPublicKey
        match key:
            case Ed25519PublicKey():
                self._key = key
            case RSAPublicKey() if key.key_size >= _SHORTEST_RSA_BITS:
                self._key = key
            case _:
                raise ValueError(_EXPECTED)
        self.pem = pem

    @property
    def is_ed25519(self) -> bool:
        """Tell whether the key may log on to a WS API session."""
        return isinstance(self._key, Ed25519PublicKey)

    @property
    def api_key(self) -> str:
        """Return the API key derived from it: 64 hexadecimal digits, always the same for a public key."""
        return hashlib.sha256(
            self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()

    def accepts(self, text: str, signature: str) -> bool:
        """Tell whether the owner of the private key signed a text; the signature is base64."""
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(raw, text.encode())
            else:
                self._key.verify(raw, text.encode(), PKCS1v15(), SHA256())
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return True
