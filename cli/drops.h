/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refused packets as the running gateway tells them: read by `sluice drops`, and by `sluice explain` for its last line.
 */
#pragma once

#include "cli/control.h"

/* The newest of the answer's drops from this device to this address, borrowed; NULL: there is none. */
const cJSON *drops_newest(const cJSON *answer, const char *device, const char *dst);
/* "12 s ago" (less than two minutes), "5 min ago", "3 h ago". Returns @buf. */
#define DROP_AGE_MAX 32
const char *drop_age_print(const cJSON *drop, uint64_t now_us, char buf[DROP_AGE_MAX]);
/* "tcp/443", "icmp"; "" where it is not kept. Returns @buf. */
#define DROP_SERVICE_MAX 24
const char *drop_service_print(const cJSON *drop, char buf[DROP_SERVICE_MAX]);
/* Why, for people: "refused by /denies/0 (policy.hujson:14:5)". Returns @buf. */
#define DROP_WHY_MAX 512
const char *drop_why_print(const cJSON *drop, char buf[DROP_WHY_MAX]);
uint64_t drops_now_us(void); /* CLOCK_REALTIME */
