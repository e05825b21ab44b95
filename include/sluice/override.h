/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an administrator lets pass for a while (`sluice allow`, `sluice pause`): kept by gatewayd, told to dnsd with the
 * views. It stands before lists and the filter's rules, and behind what the policy denies. */
#pragma once

#include "sluice/dname.h"

#define OVERRIDES_MAX	    1000u /* of a gateway: each is made by hand; looked at for every question */
#define OVERRIDE_DEVICE_MAX 256u  /* bytes of a device's name, with its end */

struct override {
	uint32_t id;			  /* from 1 on; never given twice */
	char device[OVERRIDE_DEVICE_MAX]; /* name; "": all devices */
	struct dname name;		  /* .len 0: everything that lists and filters block (a pause) */
	bool below;			  /* what is below .name, too */
	int64_t until_s;		  /* CLOCK_REALTIME */
};
