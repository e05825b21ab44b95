/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A change of one device's state in the text of devices.hujson: comments, layout and all that is not about it stay byte
 * for byte. Pure. */
#pragma once

#include "policy/document.h"

struct device_edit {
	const char *name; /* as the file has it */
	enum device_state was;
	char *text; /* the whole file with the new state; NUL-terminated */
	size_t len;
};

/* @device: a name (without regard to case, as in the file's own check) or one of the addresses. @to: DEVICE_ACTIVE or
 * DEVICE_QUARANTINED. @ret: in @mem. 0; -EINVAL the file has errors (in @diags); -ENOENT it has no such device;
 * -ENOMEM.
 */
int device_edit_state(struct arena *mem, const struct source *src, const char *device, enum device_state to,
		      struct diag_list *diags, struct device_edit *ret);
