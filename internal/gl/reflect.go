package gl

import (
	"fmt"
	"strings"
)

// UniformBlock asks a linked program for a uniform block: its binding number, its
// size in bytes, and the byte offset of each member. Members are named as the
// shader names them, without the block's name in front and without the [0] of an
// array. The compiler drops no member of an std140 block.
func (c *Context) UniformBlock(p Program, name string) (binding uint32, size int, offsets map[string]int, err error) {
	const op = "UniformBlock"
	cname := append([]byte(name), 0)
	index := c.fn.getProgramResourceIndex(uint32(p), interfaceUniformBlock, &cname[0])
	if err := c.Check(op); err != nil {
		return 0, 0, nil, err
	}
	if index == invalidIndex {
		return 0, 0, nil, invalid(op, "program %d has no uniform block %q", p, name)
	}
	block := c.properties(p, interfaceUniformBlock, index, propBufferBinding, propBufferDataSize, propNumActiveVariables)
	members := c.list(p, interfaceUniformBlock, index, propActiveVariables, block[2])
	offsets = make(map[string]int, len(members))
	for _, m := range members {
		member := c.resourceName(p, interfaceUniform, uint32(m))
		member = strings.TrimSuffix(strings.TrimPrefix(member, name+"."), "[0]")
		offsets[member] = int(c.properties(p, interfaceUniform, uint32(m), propOffset)[0])
	}
	if err := c.Check(op); err != nil {
		return 0, 0, nil, err
	}
	return uint32(block[0]), int(block[1]), offsets, nil
}

// StorageBlocks asks a linked program for its storage blocks in use: name to
// binding number.
func (c *Context) StorageBlocks(p Program) (map[string]int, error) {
	const op = "StorageBlocks"
	var count int32
	c.fn.getProgramInterfaceiv(uint32(p), interfaceShaderStorageBlock, propActiveResources, &count)
	blocks := make(map[string]int, count)
	for i := range uint32(count) {
		name := c.resourceName(p, interfaceShaderStorageBlock, i)
		blocks[name] = int(c.properties(p, interfaceShaderStorageBlock, i, propBufferBinding)[0])
	}
	if err := c.Check(op); err != nil {
		return nil, fmt.Errorf("gl: program %d: %w", p, err)
	}
	return blocks, nil
}

// properties returns one value for each property.
func (c *Context) properties(p Program, iface, index uint32, props ...uint32) []int32 {
	values := make([]int32, len(props))
	c.fn.getProgramResourceiv(uint32(p), iface, index, int32(len(props)), &props[0], int32(len(values)), nil, &values[0])
	return values
}

// list returns the n values of a property that has several.
func (c *Context) list(p Program, iface, index, prop uint32, n int32) []int32 {
	if n <= 0 {
		return nil
	}
	values := make([]int32, n)
	c.fn.getProgramResourceiv(uint32(p), iface, index, 1, &prop, n, nil, &values[0])
	return values
}

func (c *Context) resourceName(p Program, iface, index uint32) string {
	size := c.properties(p, iface, index, propNameLength)[0]
	if size <= 0 {
		return ""
	}
	name := make([]byte, size)
	c.fn.getProgramResourceName(uint32(p), iface, index, size, &size, &name[0])
	return string(name[:size])
}
