include make/config.mk

all:
	echo $(CONFIG)
