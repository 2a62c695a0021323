/* SPDX-License-Identifier: Apache-2.0 */

/* Gives FUZZ_FUNC, one of the targets of fuzz.h, to libFuzzer. */

#include <config.h>

#include "fuzz.h"

#include "openvswitch/compiler.h"

int LLVMFuzzerInitialize(int *argc, char **argv[]);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc OVS_UNUSED, char **argv[] OVS_UNUSED)
{
    fuzz_init();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_FUNC(data, size);
    return 0;
}
