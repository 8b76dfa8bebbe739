# sets the image up
mkdir -p /data
cp "$CONFIG_FILE" /data/
