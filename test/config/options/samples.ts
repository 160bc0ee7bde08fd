/** A token, a certificate, and an options file that needs nothing more. */

/** A token in the shape of a JWT; nobody issued it. */
export const JWT =
  'eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6cnN0dWRpbzpqb2ItbGF1bmNoZXIifQ.c2lnbmF0dXJl';

/** A self-signed certificate whose key was thrown away. */
export const CA = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS2gAwIBAgIUMbMaN0AcQZshNc/QffcYHw4UBycwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNa3ViZXJuZXRlcy1jYTAgFw0yNjExMjMyMjA5MDNaGA8yMTI2
MTAzMDIyMDkwM1owGDEWMBQGA1UEAwwNa3ViZXJuZXRlcy1jYTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABHrczKWUNs9FTQy5GJp0JjSMKjF9ztlRKlFhCv1//oqm
R+bEK5te2tRU+Lsj9xcG7FAG8KBm+vFMJKRUzNpVfjSjUzBRMB0GA1UdDgQWBBT7
e+xuLLVgPzL38PY9A4a/VSJPNDAfBgNVHSMEGDAWgBT7e+xuLLVgPzL38PY9A4a/
VSJPNDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCI4TmXbRXi
+4QO1QAsbob1x+B9XXxRonfk149Thc6cXAIhANgPKecc2LcSQQ4UOlgRfPtcq1OO
y3guTU8yUk2OC7vd
-----END CERTIFICATE-----
`;

/** The smallest text of an options file, outside a cluster. */
export const REACH = `api-url=https://10.0.0.1:6443\nauth-token=${JWT}\n`;
