/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is let pass for a while (sluice/override.h), as a question finds it. */
#pragma once

#include "filter/view.h"

struct view_override {
	uint32_t id;
	const char *device; /* NULL: all */
	struct dname name;  /* .len 0: everything */
	bool below;
	const char *pos; /* "allow 3", "pause 4" */
};

/* That which lets @name pass for @client (NULL: nobody in particular), or NULL. *ret_personal is set where it is, or
 * where another client of @view would be told otherwise for it; else it is left as it is. */
const struct view_override *views_override(const struct views *v, const struct view *view,
					   const struct view_client *client, const struct dname *name,
					   bool *ret_personal);
