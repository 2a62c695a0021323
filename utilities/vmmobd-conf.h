/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOBD_CONF_H
#define VMMOBD_CONF_H 1

/* What the Open_vSwitch database says that nobody heeds
 * =====================================================
 *
 * ovs-vswitchd looks at other_config of bridges only, and at what is there:
 * not at settings in the wrong column, nor at how the bridge is put together.
 * Here is what can be seen by a look at the database as a whole.  Nothing is
 * kept: all is looked at each time somebody wants to know. */

struct ovsdb_idl;
struct vmmob_problems;

void conf_add_columns(struct ovsdb_idl *);
void conf_get_problems(const struct ovsdb_idl *, struct vmmob_problems *);

#endif /* utilities/vmmobd-conf.h */
