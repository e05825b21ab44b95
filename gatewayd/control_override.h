/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket's command "override": what is to pass for a while. */
#pragma once

#include "base/err.h"
#include "sluice/override.h"

struct cJSON;

enum override_do { OVERRIDE_PUT = 0, OVERRIDE_LIST, OVERRIDE_END, OVERRIDE_DO_MAX };

struct control_override {
	enum override_do what;
	struct override put; /* OVERRIDE_PUT: without .id and .until_s. OVERRIDE_END: .id, or else .name and .device */
	uint32_t for_s;	     /* OVERRIDE_PUT */
	bool any_device;     /* OVERRIDE_END by name: whatever .device is */
};

/* {"cmd":"override","do":"allow","name":"ads.example","below":true,"device":"tv","for_s":600}
 * {"cmd":"override","do":"pause","device":"tv","for_s":600}      (no device, or null: all)
 * {"cmd":"override","do":"list"}
 * {"cmd":"override","do":"end","id":3}   {"cmd":"override","do":"end","name":"ads.example"}   (of all who have it)
 * {"cmd":"override","do":"end","pause":true,"device":"tv"}       (device null: that of all)
 * Pure. 0, or -EINVAL with the reason in @e. */
int control_override_parse(const struct cJSON *o, struct control_override *ret, struct err *e);
