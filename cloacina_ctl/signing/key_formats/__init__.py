"""The forms of key files: PEM, DER, PKCS#8, OpenSSH."""
