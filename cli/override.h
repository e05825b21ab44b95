/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is let pass for a while, as a gateway tells of it. */
#pragma once

#include "cli/control.h"

#include "sluice/override.h"

#define OVERRIDE_LEFT_MAX 32u

/* One of an answer's "overrides", as a line behind @indent. */
void override_print(const cJSON *override, const char *indent);
/* Those of the member "overrides" of @answer (of `status` or `override list`), for verdicts. Returns the number, at
 * most
 * @max. */
uint32_t overrides_read(const cJSON *answer, struct override *ret, uint32_t max);
