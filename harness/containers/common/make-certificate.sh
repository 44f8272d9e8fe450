#!/bin/sh
# Makes an authority of the image's own and a certificate for localhost that it signs: nothing that is trusted anywhere
# else, and no private key that has to be kept anywhere. Whoever starts a container reads ca.pem out of it.
set -eu

folder=/srv/tls
mkdir -p "$folder"
cd "$folder"
# Longer than any image is kept.
days=7300

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days \
    -subj '/CN=loginspec, for tests only' \
    -addext 'basicConstraints = critical,CA:TRUE' -addext 'keyUsage = critical,keyCertSign' \
    -keyout ca.key -out ca.pem
openssl req -x509 -CA ca.pem -CAkey ca.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days \
    -subj '/CN=localhost' \
    -addext 'subjectAltName = DNS:localhost,IP:127.0.0.1' \
    -addext 'basicConstraints = critical,CA:FALSE' -addext 'keyUsage = critical,digitalSignature' \
    -addext 'extendedKeyUsage = serverAuth' \
    -keyout server.key -out server.pem
# It signs nothing else.
rm ca.key
chmod 600 server.key
chmod 644 ca.pem server.pem
