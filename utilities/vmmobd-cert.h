/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_CERT_H
#define VMMOBD_CERT_H 1

/* When the certificates for TLS end.
 *
 * The files are read each time: that is seldom, and they may be replaced at
 * any time.  Times are in seconds since 1970. */

#include <stdbool.h>

enum cert_kind {
    CERT_OWN,                   /* Ours: the first in its file. */
    CERT_CA,                    /* Of those in the CA's file, the one of the
                                 * chain from ours that ends first; if none
                                 * has issued ours, the one that ends last. */
    CERT_N_KINDS
};

struct cert {
    bool bad;                   /* There is a file, without certificate. */
    bool there;                 /* Whether the members below are in use. */
    long long int not_before;
    long long int not_after;
};

void certs_read(char *const files[CERT_N_KINDS],
                struct cert certs[CERT_N_KINDS]);

#endif /* utilities/vmmobd-cert.h */
