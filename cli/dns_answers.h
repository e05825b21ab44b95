/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of an upstream's answer a device would see: names and addresses that it leads to are judged as dnsd does. */
#pragma once

#include "filter/verdict.h"

#include <cjson/cJSON.h>

/* @answers: objects with "type" and "value", or NULL. @asked: the verdict on the name, a pass. @ret: a pass, or the
 * block by what the answer leads to. @values: what is left of records of @type (as @type_text names it); addresses that
 * are not let through are taken out, also of the hints of HTTPS and SVCB. An answer that had addresses and has none
 * left is a block, by the first of them. */
void dns_answers_judge(const struct verdict_ask *ask, const struct name_verdict *asked, const cJSON *answers,
		       uint16_t type, struct name_verdict *ret, cJSON *values);
