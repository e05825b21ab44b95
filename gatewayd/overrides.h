/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is let pass for a while (sluice/override.h), kept over restarts in STATE/overrides.json. */
#pragma once

#include "base/err.h"
#include "sluice/override.h"

/* Long enough for a trip; what is to pass for longer belongs into the policy, where others read it. It is also the most
 * that a clock which was set back can add. */
#define OVERRIDE_FOR_MAX_S     (7u * 86400u)
#define OVERRIDE_FOR_DEFAULT_S 600u

struct overrides {
	struct override *items; /* by .id */
	uint32_t n;
	uint32_t last_id; /* that was given */
};

/* Those of @state_dir; @ret is empty where there are none, and after a failure: nothing passes that should not. What is
 * over is not among them. 0 or negative with @e. */
int overrides_load(const char *state_dir, int64_t now_s, struct overrides *ret, struct err *e);
/* At once or not at all. 0 or negative with @e. */
int overrides_save(const char *state_dir, const struct overrides *o, struct err *e);
void overrides_done(struct overrides *o);
/* @what without its id: one that is the same but for the time is renewed, and keeps its id. *ret_was_s: until when it
 * was in force before; 0: it is new. Borrowed; NULL with @e: -E2BIG, -ENOMEM. */
const struct override *overrides_put(struct overrides *o, const struct override *what, int64_t *ret_was_s,
				     struct err *e);
/* Borrowed, NULL: there is none. */
const struct override *overrides_find(const struct overrides *o, uint32_t id);
bool overrides_remove(struct overrides *o, uint32_t id);
/* It has ended at @now_s; or the clock was set back so far that nobody knows. */
bool override_is_over(const struct override *o, int64_t now_s);
/* The first that is over, borrowed; NULL: none is. */
const struct override *overrides_first_over(const struct overrides *o, int64_t now_s);
/* When the next one is; 0: there are none. */
int64_t overrides_next_s(const struct overrides *o);
