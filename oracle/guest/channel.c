// SPDX-License-Identifier: MIT OR Apache-2.0
#include "channel.h"

/* Also in oracle/src/target/linux/channel.rs. */
#define MAGIC 0x314c4e4e4148434eul
#define INPUT_BYTES (1ul << 17)
#define OUTPUT_BYTES (1ul << 18)

/* How often to look for input before giving the processor away, and for how long then: longer, the longer it takes. */
#define LOOKS 20000
#define SLEEP_NANOSECONDS 40000ul
#define LONGEST_SLEEP_NANOSECONDS 5000000ul
/* A machine whose host says nothing for so long is forgotten: it ends. */
#define SILENCE_NANOSECONDS 600000000000ul

/* The register of QEMU's machine that says when its timer fires next. */
#define TIMER ((volatile u64 *)0x2004000)

/* The host finds it by the words that it begins with, at the beginning of a page. */
static struct {
	volatile u64 magic;
	/* Bytes since the start. */
	volatile u64 input_given, input_taken, output_given, output_taken;
	volatile u64 inverted_magic;
	/* Whether the host wants nothing to happen, and whether nothing does. */
	volatile u64 hold, is_held;
	char unused[4096 - 64];
	char input[INPUT_BYTES];
	char output[OUTPUT_BYTES];
} channel __attribute__((aligned(4096)));

static char line[LINE_LIMIT];
/* What was said and not handed over. */
static u64 said;
/* How far it may grow before the host has to be asked what it took. */
static u64 room;
static int is_open;

static void open_channel(void)
{
	if (is_open)
		return;
	is_open = 1;
	said = channel.output_given;
	room = channel.output_taken + OUTPUT_BYTES;
	channel.inverted_magic = ~MAGIC;
	__sync_synchronize();
	channel.magic = MAGIC;
}

static void rest(u64 nanoseconds)
{
	u64 time[2] = { 0, nanoseconds };

	CALL2(NANOSLEEP, time, NULL);
}

static void power_off(void)
{
	CALL4(REBOOT, 0xfee1dead, 672274793, 0x4321fedc, 0);
	CALL1(EXIT, 0);
}

/* In start.S. */
void stand_still(volatile u64 *hold, u64 *registers);

/*
 * The host copies the machine's memory, or puts back what it was at another time, while nothing happens in it: not even the
 * timer fires. Without an MMU its register is anyone's. The kernel takes the first time after that for late, whatever time
 * it is by then; a copy's timer is not set, and who waits for it would wait for ever.
 */
static void be_still(void)
{
	static u64 registers[16];

	do
		*TIMER = ~0ul;
	while (*TIMER != ~0ul);
	stand_still(&channel.hold, registers);
	*TIMER = 0;
}

static void wait_for_input(u64 taken)
{
	u64 slept = 0, sleep = SLEEP_NANOSECONDS;
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		if (channel.input_given != taken)
			return;
		if (channel.hold)
			be_still();
	}
	while (channel.input_given == taken) {
		rest(sleep);
		if (channel.hold)
			be_still();
		slept += sleep;
		if (slept > SILENCE_NANOSECONDS)
			power_off();
		/* A host that is busy answers soon; one that does something else can wait a little. */
		if (slept > 64 * sleep && sleep < LONGEST_SLEEP_NANOSECONDS)
			sleep *= 2;
	}
}

char *next_line(void)
{
	u64 taken, given, length = 0;

	open_channel();
	taken = given = channel.input_taken;
	for (;;) {
		char character;

		if (taken == given) {
			channel.input_taken = taken;
			given = channel.input_given;
			if (taken == given) {
				flush();
				wait_for_input(taken);
				given = channel.input_given;
			}
			__sync_synchronize();
		}
		character = channel.input[taken++ % INPUT_BYTES];
		if (character == '\n')
			break;
		if (length < LINE_LIMIT - 1)
			line[length++] = character;
	}
	channel.input_taken = taken;
	line[length] = 0;
	return line;
}

void flush(void)
{
	open_channel();
	__sync_synchronize();
	channel.output_given = said;
}

static void wait_for_room(void)
{
	open_channel();
	while (said - channel.output_taken >= OUTPUT_BYTES) {
		flush();
		rest(SLEEP_NANOSECONDS);
	}
	room = channel.output_taken + OUTPUT_BYTES;
}

static inline void put(char character)
{
	if (said == room)
		wait_for_room();
	channel.output[said++ % OUTPUT_BYTES] = character;
}

void say_character(char character)
{
	put(character);
}

void say_bytes(const char *bytes, u64 count)
{
	while (count--)
		put(*bytes++);
}

void say(const char *text)
{
	while (*text)
		put(*text++);
}

void say_decimal(u64 number)
{
	char reversed[20];
	int count = 0;

	do
		reversed[count++] = '0' + number % 10;
	while (number /= 10);
	while (count)
		put(reversed[--count]);
}

static const char digits[16] = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f' };

void say_hexadecimal(u64 number)
{
	int shift = 60;

	say("0x");
	while (shift && !(number >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put(digits[number >> shift & 15]);
}

void say_hexadecimal_bytes(const u8 *bytes, u64 count)
{
	const volatile u8 *from = bytes;

	while (count--) {
		u8 byte = *from++;

		put(digits[byte >> 4]);
		put(digits[byte & 15]);
	}
}
