/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_RECORD_H
#define VMMOBD_RECORD_H 1

/* Records as rows of a VM_Mobility database
 * =========================================
 *
 * In the columns that name a row, text has just one form, the one that the
 * encoders here write.  So two rows of a database never have one name: the
 * database's own index keeps them apart.
 *
 * The decoders look only at the row given.  What they return without an error
 * is valid by vmmob_vmn_validate() or vmmob_ofs_validate(), whatever is in the
 * row. */

#include "vmmob-binding.h"
#include "vmmobd-rowset.h"

struct vmmobrec_ofs;
struct vmmobrec_vmn;

/* Decoders.  All return NULL if successful, otherwise an error message that
 * the caller must free(). */
char *vmn_name_from_row(const struct vmmobrec_vmn *, struct row_name *);
char *vmn_from_row(const struct vmmobrec_vmn *, struct vmmob_vmn *);
char *ofs_name_from_row(const struct vmmobrec_ofs *, struct row_name *);
char *ofs_from_row(const struct vmmobrec_ofs *, struct vmmob_ofs *);

/* Encoders, for use in a transaction.  The columns that name the row must have
 * been set already, by the first function if the row is new.  For a database
 * that has no column for it, a VMN's 'system_id' is null, and 'has_networks'
 * is false. */
void vmn_name_to_row(const struct vmmob_vmn *, const struct vmmobrec_vmn *);
void vmn_to_row(const struct vmmob_vmn *, const char *system_id,
                const struct vmmobrec_vmn *);
void ofs_name_to_row(const struct vmmob_ofs *, const struct vmmobrec_ofs *);
void ofs_to_row(const struct vmmob_ofs *, const char *system_id,
                bool has_networks, const struct vmmobrec_ofs *);

/* True if the encoders above would not change the row. */
bool vmn_is_in_row(const struct vmmob_vmn *, const char *system_id,
                   const struct vmmobrec_vmn *);
bool ofs_is_in_row(const struct vmmob_ofs *, const char *system_id,
                   bool has_networks, const struct vmmobrec_ofs *);

#endif /* utilities/vmmobd-record.h */
