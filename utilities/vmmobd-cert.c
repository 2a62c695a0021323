/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmobd-cert.h"

#include <string.h>

#include "util.h"

#ifdef HAVE_OPENSSL
#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Most certificates that are read from a file: what Debian has of all the
 * world's authorities are some 150. */
#define MAX_CERTS 1024

static long long int
to_seconds(const ASN1_TIME *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    if (epoch && !ASN1_TIME_diff(&days, &seconds, epoch, t)) {
        days = seconds = 0;
    }
    ASN1_TIME_free(epoch);
    return days * 86400LL + seconds;
}

static long long int
end_of(const X509 *x)
{
    return to_seconds(X509_get0_notAfter(x));
}

/* Reads at most 'max' certificates from 'file' into 'xs', for the caller to
 * free.  Returns how many there are, or -1 if the file cannot be read. */
static int
read_file(const char *file, X509 *xs[], int max)
{
    FILE *stream = fopen(file, "r");
    int n = 0;

    if (!stream) {
        return -1;
    }
    while (n < max && (xs[n] = PEM_read_X509(stream, NULL, NULL, NULL))) {
        n++;
    }
    /* The end of the file is an error, too. */
    ERR_clear_error();
    fclose(stream);
    return n;
}

/* Returns the one of the 'n' certificates in 'xs' that ends last, of those
 * that have issued 'issued' unless that is null.  Returns NULL if there is
 * none. */
static X509 *
find_last(X509 *const xs[], int n, X509 *issued)
{
    X509 *last = NULL;

    for (int i = 0; i < n; i++) {
        if ((!issued || X509_check_issued(xs[i], issued) == X509_V_OK)
            && (!last || end_of(xs[i]) > end_of(last))) {
            last = xs[i];
        }
    }
    return last;
}

static void
set_times(struct cert *cert, const X509 *x)
{
    cert->there = true;
    cert->not_before = to_seconds(X509_get0_notBefore(x));
    cert->not_after = end_of(x);
}

/* Fills in 'certs' from 'files', each of which may be NULL, or the name of a
 * file that is not there. */
void
certs_read(char *const files[CERT_N_KINDS], struct cert certs[CERT_N_KINDS])
{
    X509 **cas = xmalloc(MAX_CERTS * sizeof *cas);
    X509 *own = NULL;
    int n;

    memset(certs, 0, CERT_N_KINDS * sizeof *certs);
    n = files[CERT_OWN] ? read_file(files[CERT_OWN], &own, 1) : -1;
    certs[CERT_OWN].bad = !n;
    if (n > 0) {
        set_times(&certs[CERT_OWN], own);
    }

    n = files[CERT_CA] ? read_file(files[CERT_CA], cas, MAX_CERTS) : -1;
    certs[CERT_CA].bad = !n;
    if (n > 0) {
        X509 *first = find_last(cas, n, own);
        X509 *x = first ? first : find_last(cas, n, NULL);

        set_times(&certs[CERT_CA], x);
        /* Up to the root, which has issued itself. */
        for (int i = 0; first && i < n; i++) {
            if (end_of(x) < certs[CERT_CA].not_after) {
                set_times(&certs[CERT_CA], x);
            }
            if (X509_check_issued(x, x) == X509_V_OK) {
                break;
            }
            x = find_last(cas, n, x);
            if (!x) {
                break;
            }
        }
    }

    for (int i = 0; i < n; i++) {
        X509_free(cas[i]);
    }
    X509_free(own);
    free(cas);
}
#else
void
certs_read(char *const files[CERT_N_KINDS] OVS_UNUSED,
           struct cert certs[CERT_N_KINDS])
{
    memset(certs, 0, CERT_N_KINDS * sizeof *certs);
}
#endif
