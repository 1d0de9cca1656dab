// SPDX-License-Identifier: MIT OR Apache-2.0
/* What the compiler expects to be there. */
#include "system.h"

void *memcpy(void *to, const void *from, u64 count)
{
	u8 *out = to;
	const u8 *in = from;

	if ((((u64)out | (u64)in) & 7) == 0)
		for (; count >= 8; count -= 8, out += 8, in += 8)
			*(u64 *)out = *(const u64 *)in;
	while (count--)
		*out++ = *in++;
	return to;
}

void *memset(void *to, int value, u64 count)
{
	u8 *out = to;

	if (((u64)out & 7) == 0) {
		u64 eight = (u8)value * 0x0101010101010101ul;

		for (; count >= 8; count -= 8, out += 8)
			*(volatile u64 *)out = eight;
	}
	while (count--)
		*(volatile u8 *)out++ = value;
	return to;
}

int memcmp(const void *one, const void *other, u64 count)
{
	const u8 *a = one, *b = other;

	if ((((u64)a | (u64)b) & 7) == 0)
		for (; count >= 8 && *(const u64 *)a == *(const u64 *)b; count -= 8, a += 8, b += 8)
			;
	for (; count; count--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

u64 length_of(const char *text)
{
	u64 length = 0;

	while (text[length])
		length++;
	return length;
}

int same_text(const char *one, const char *other)
{
	while (*one && *one == *other)
		one++, other++;
	return *one == *other;
}
