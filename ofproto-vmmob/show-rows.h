/* SPDX-License-Identifier: Apache-2.0 */

#ifndef VMMOB_SHOW_ROWS_H
#define VMMOB_SHOW_ROWS_H 1

/* "vmmob/vmns" and "vmmob/ofs"
 * ============================
 *
 * There can be 100,000 rows, and packets must not wait until they are written.
 * So a thread of its own copies the rows with 'vmmob_mutex', a few at a time,
 * and lets the module's thread in after each time.  Without the mutex, it
 * sorts them and writes them as text or JSON, and the main thread answers with
 * that.  There is one such thread at a time: who asks meanwhile waits.
 *
 * The rows shown need not be from one moment, but each VMN that was known all
 * the time is there, just once.
 *
 * All functions are for the main thread. */

#include <stdbool.h>

struct unixctl_conn;
struct vmmob_selection;

void vmmob_show_rows_init(void);
void vmmob_show_rows_exit(void);
void vmmob_show_rows_run(void);
void vmmob_show_rows_wait(void);

bool vmmob_show_parse_selection(struct vmmob_selection *, const char *,
                                struct unixctl_conn *);

#endif /* ofproto-vmmob/show-rows.h */
