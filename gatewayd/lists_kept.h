/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled lists on the disk, for the next start: STATE/lists.compiled, and beside it lists.compiled.json, which
 * says of which files it was made, by which compiler, and what its sum is. Whatever does not fit: it is compiled anew.
 */
#pragma once

#include "gatewayd/lists.h"

/* A file for listc to write the copy into; the one that is in use is not touched. */
int lists_kept_begin(const char *state_dir, int *ret_fd, struct err *e);
/* listc has written it: from now on it is the one. */
int lists_kept_end(const char *state_dir, const struct lists *l, const struct msg_list_kept *kept, struct err *e);
/* Into a sealed memfd of @l, which has its files open, with the counts of its lists. -ENOENT: there is none; -ESTALE:
 * it was made of other files or by another compiler; -EBADMSG: damaged, or of another version. */
int lists_kept_load(const char *state_dir, struct lists *l, struct err *e);
