#!/bin/bash
echo set up
