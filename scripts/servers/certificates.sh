#!/usr/bin/env bash
# certificates.sh DIR: a throw-away certificate authority and one server certificate for localhost.
set -euo pipefail
mkdir -p "$1"
cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 30 -subj "/O=Tocsin tests/CN=Tocsin test authority" \
	-keyout ca.key -out ca.crt 2>/dev/null
openssl req -new -newkey rsa:2048 -nodes -sha256 -subj "/O=Tocsin tests/CN=localhost" -keyout node.key -out node.csr 2>/dev/null
openssl x509 -req -in node.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -sha256 -out node.crt 2>/dev/null \
	-extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n')
rm -f node.csr ca.srl
chmod 600 ./*.key
openssl verify -CAfile ca.crt node.crt >/dev/null
